//go:build cgo && linux && amd64 && !noxla

// Memory that is kept from step to step. XLA allocates its temporaries anew in each step; a large array
// from the C library is new pages, and to clear them took 6 to 9 % of a step's time.
#define _GNU_SOURCE
#include "memory.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// ---- blocks ----

enum {
  blocks = 2048,        // at most
  page = 4096,
  large_page = 1 << 21, // the system's larger pages: fewer to map, and fewer to look up
  spare = 16 << 20,     // bytes that may be held beyond what was in use
  odd = 1 << 18,        // bytes that a block may have beyond twice what is wanted
};

typedef struct { char *p; size_t size; int used; unsigned long given; } block;

static block table[blocks]; // in no order
static int count;
static memory_counts counts;
static size_t most;        // bytes that were in use at one time
static unsigned long turn; // counts what was given back
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t limit;
static _Atomic uintptr_t lowest = UINTPTR_MAX, highest; // addresses that blocks have had

void limit_memory(size_t bytes) { atomic_store(&limit, bytes); }

memory_counts count_memory(void) {
  pthread_mutex_lock(&lock);
  memory_counts c = counts;
  pthread_mutex_unlock(&lock);
  return c;
}

static void unmap(int i) {
  munmap(table[i].p, table[i].size);
  counts.held -= table[i].size;
  table[i] = table[--count];
}

// make_room unmaps what was given back first, until so many bytes more may be held, and the table has a
// place.
static int make_room(size_t size) {
  size_t top = counts.taken + size > most ? counts.taken + size : most;
  for (;;) {
    if (counts.held + size <= top + top / 4 + spare && count < blocks) return 0;
    int oldest = -1;
    for (int i = 0; i < count; i++)
      if (!table[i].used && (oldest < 0 || table[i].given < table[oldest].given)) oldest = i;
    if (oldest < 0) return count < blocks ? 0 : -1;
    unmap(oldest);
  }
}

static char *map(size_t size) {
  size_t more = size >= large_page ? large_page : 0; // so that one boundary of large pages is inside
  char *p = mmap(NULL, size + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return NULL;
  if (more) {
    size_t before = -(uintptr_t)p & (large_page - 1);
    if (before) munmap(p, before);
    if (more > before) munmap(p + before + size, more - before);
    p += before;
    madvise(p, size, MADV_HUGEPAGE);
  }
  counts.maps++;
  return p;
}

static void *take_locked(size_t size) {
  int best = -1;
  for (int i = 0; i < count; i++)
    if (!table[i].used && table[i].size >= size && (best < 0 || table[i].size < table[best].size)) best = i;
  if (best < 0 || table[best].size > 2 * size + odd) { // not a large one for a small want
    if (make_room(size)) return NULL;
    char *p = map(size);
    if (!p) return NULL;
    best = count++;
    table[best] = (block){.p = p, .size = size};
    counts.held += size;
    if ((uintptr_t)p < atomic_load(&lowest)) atomic_store(&lowest, (uintptr_t)p);
    if ((uintptr_t)p > atomic_load(&highest)) atomic_store(&highest, (uintptr_t)p);
  }
  table[best].used = 1;
  counts.taken += table[best].size;
  if (counts.taken > most) most = counts.taken;
  return table[best].p;
}

void *take(size_t bytes) {
  size_t bound = atomic_load(&limit);
  if ((bound && bytes > bound) || bytes > SIZE_MAX / 2) return NULL;
  pthread_mutex_lock(&lock);
  counts.takes++;
  void *p = take_locked((bytes + !bytes + page - 1) / page * page);
  pthread_mutex_unlock(&lock);
  return p;
}

int give(void *p) {
  uintptr_t at = (uintptr_t)p;
  if (at % page || at < atomic_load(&lowest) || at > atomic_load(&highest)) return -1; // most of what is freed
  pthread_mutex_lock(&lock);
  int i = 0;
  while (i < count && table[i].p != p) i++;
  int found = i < count;
  if (found && table[i].used) {
    table[i].used = 0;
    table[i].given = ++turn;
    counts.taken -= table[i].size;
  }
  pthread_mutex_unlock(&lock);
  return found ? 0 : -1;
}

// ---- what a library calls instead ----

enum { large = 1 << 18 }; // bytes: smaller arrays stay with the C library

static void *library_aligned_alloc(size_t alignment, size_t size) {
  void *p = size >= large && alignment <= page ? take(size) : NULL;
  return p ? p : aligned_alloc(alignment, size);
}

static int library_posix_memalign(void **p, size_t alignment, size_t size) {
  void *block = size >= large && alignment <= page ? take(size) : NULL;
  if (!block) return posix_memalign(p, alignment, size);
  *p = block;
  return 0;
}

static void library_free(void *p) {
  if (give(p)) free(p);
}

// slot is where a library keeps the address of a function of another library.
typedef struct { void **at, *to; } slot;
enum { most_slots = 16 };

// find_slots adds those of a table of relocations that are of the function of this name.
static int find_slots(const struct link_map *map, const ElfW(Rela) *list, size_t n, const ElfW(Sym) *symbols, const char *names,
                      const char *name, void *to, slot *slots, int found) {
  for (size_t i = 0; i < n; i++) {
    unsigned type = ELF64_R_TYPE(list[i].r_info);
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) continue;
    if (strcmp(names + symbols[ELF64_R_SYM(list[i].r_info)].st_name, name)) continue;
    if (found == most_slots) return found + 1;
    slots[found++] = (slot){(void **)(map->l_addr + list[i].r_offset), to};
  }
  return found;
}

// protect makes what the library has read-only since it was loaded writable, or read-only again.
static int protect(const struct link_map *map, int protection) {
  const ElfW(Ehdr) *head = (void *)map->l_addr;
  if (memcmp(head->e_ident, ELFMAG, SELFMAG)) return -1;
  const ElfW(Phdr) *parts = (void *)(map->l_addr + head->e_phoff);
  for (int i = 0; i < head->e_phnum; i++) {
    if (parts[i].p_type != PT_GNU_RELRO) continue;
    uintptr_t from = (map->l_addr + parts[i].p_vaddr) / page * page, to = (map->l_addr + parts[i].p_vaddr + parts[i].p_memsz) / page * page;
    if (mprotect((void *)from, to - from, protection)) return -1;
  }
  return 0;
}

int keep_memory(void *library) {
  struct link_map *map;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map)) return -1;
  const ElfW(Rela) *calls = NULL, *others = NULL;
  const ElfW(Sym) *symbols = NULL;
  const char *names = NULL;
  size_t calls_size = 0, others_size = 0;
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_JMPREL) calls = (void *)d->d_un.d_ptr;
    if (d->d_tag == DT_RELA) others = (void *)d->d_un.d_ptr;
    if (d->d_tag == DT_SYMTAB) symbols = (void *)d->d_un.d_ptr;
    if (d->d_tag == DT_STRTAB) names = (void *)d->d_un.d_ptr;
    if (d->d_tag == DT_PLTRELSZ) calls_size = d->d_un.d_val / sizeof *calls;
    if (d->d_tag == DT_RELASZ) others_size = d->d_un.d_val / sizeof *others;
  }
  // free comes first: it takes back what the C library gave, too, so nothing is lost if the rest fails.
  const struct { const char *name; void *to; } replaced[] = {
      {"free", library_free}, {"aligned_alloc", library_aligned_alloc}, {"posix_memalign", library_posix_memalign}};
  slot slots[most_slots];
  int found = 0;
  for (int k = 0; k < 3; k++) {
    int before = found;
    if (calls) found = find_slots(map, calls, calls_size, symbols, names, replaced[k].name, replaced[k].to, slots, found);
    if (others) found = find_slots(map, others, others_size, symbols, names, replaced[k].name, replaced[k].to, slots, found);
    if (found == before || found > most_slots) return -1;
  }
  if (protect(map, PROT_READ | PROT_WRITE)) return -1;
  for (int i = 0; i < found; i++) *slots[i].at = slots[i].to;
  return protect(map, PROT_READ);
}
