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
  page = 4096,
  large_page = 1 << 21, // the system's larger pages: fewer to map, and fewer to look up
  spare = 16 << 20,     // bytes that may be held beyond what was in use
  odd = 1 << 18,        // bytes that a block may have beyond a quarter more than what is wanted
};

typedef struct { char *p; size_t size, wanted; unsigned long given; } block; // wanted is 0 if it is not in use

static block *table; // in no order
static size_t count, room;
static memory_counts counts;
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

// unmap_oldest unmaps what was given back first, or says that all is in use.
static int unmap_oldest(void) {
  size_t oldest = count;
  for (size_t i = 0; i < count; i++)
    if (!table[i].wanted && (oldest == count || table[i].given < table[oldest].given)) oldest = i;
  if (oldest == count) return -1;
  munmap(table[oldest].p, table[oldest].size);
  counts.held -= table[oldest].size;
  table[oldest] = table[--count];
  return 0;
}

// map is new memory from the system, for which others are unmapped where it has no more.
static char *map(size_t size) {
  size_t more = size >= large_page ? large_page : 0; // so that it can begin with a large page
  char *p;
  do p = mmap(NULL, size + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (p == MAP_FAILED && !unmap_oldest());
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

// new_block is one more in the table, or NULL. Before it, blocks are unmapped until so many bytes more may
// be held.
static block *new_block(size_t size) {
  size_t top = counts.taken + size > counts.most ? counts.taken + size : counts.most;
  while (counts.held + size > top + top / 4 + spare && !unmap_oldest()) {}
  if (count == room) {
    block *larger = realloc(table, (2 * room + 64) * sizeof *table);
    if (!larger) return NULL;
    table = larger;
    room = 2 * room + 64;
  }
  char *p = map(size);
  if (!p) return NULL;
  counts.held += size;
  if ((uintptr_t)p < atomic_load(&lowest)) atomic_store(&lowest, (uintptr_t)p);
  if ((uintptr_t)p > atomic_load(&highest)) atomic_store(&highest, (uintptr_t)p);
  table[count] = (block){.p = p, .size = size};
  return &table[count++];
}

void *take(size_t bytes) {
  size_t bound = atomic_load(&limit);
  if ((bound && bytes > bound) || bytes > SIZE_MAX / 2) return NULL;
  size_t size = (bytes + !bytes + page - 1) / page * page;
  pthread_mutex_lock(&lock);
  counts.takes++;
  block *best = NULL;
  for (block *b = table; b < table + count; b++)
    if (!b->wanted && b->size >= size && (!best || b->size < best->size)) best = b;
  if (!best || best->size > size + size / 4 + odd) best = new_block(size);
  if (best) {
    best->wanted = size;
    counts.taken += size;
    if (counts.taken > counts.most) counts.most = counts.taken;
  }
  void *p = best ? best->p : NULL;
  pthread_mutex_unlock(&lock);
  return p;
}

// size_of is the size of what take gave, or 0 for anything else. Unless keep is set, it is given back.
static size_t size_of(void *p, int keep) {
  uintptr_t at = (uintptr_t)p;
  if (at % page || at < atomic_load(&lowest) || at > atomic_load(&highest)) return 0; // most of what is freed
  size_t size = 0;
  pthread_mutex_lock(&lock);
  block *b = table;
  while (b < table + count && b->p != p) b++;
  if (b < table + count) {
    if (!b->wanted) abort(); // a second time: the C library ends the process, too
    size = b->wanted;
    if (!keep) {
      counts.taken -= size;
      b->wanted = 0;
      b->given = ++turn;
    }
  }
  pthread_mutex_unlock(&lock);
  return size;
}

int give(void *p) { return size_of(p, 0) ? 0 : -1; }

// ---- what a library calls instead ----

// ours says whether an array comes from take: smaller ones stay with the C library.
static int ours(size_t alignment, size_t size) { return size >= 1 << 18 && alignment <= page && !(alignment & (alignment - 1)); }

static void *library_aligned_alloc(size_t alignment, size_t size) {
  void *p = ours(alignment, size) ? take(size) : NULL;
  return p ? p : aligned_alloc(alignment, size);
}

static int library_posix_memalign(void **p, size_t alignment, size_t size) {
  void *block = ours(alignment, size) && alignment % sizeof *p == 0 ? take(size) : NULL;
  if (!block) return posix_memalign(p, alignment, size);
  *p = block;
  return 0;
}

static void library_free(void *p) {
  if (give(p)) free(p);
}

static void *library_realloc(void *p, size_t size) {
  size_t before = size_of(p, 1);
  if (!before) return realloc(p, size);
  void *to = malloc(size);
  if (!to) return NULL;
  memcpy(to, p, before < size ? before : size);
  give(p);
  return to;
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
  // free and realloc come first: they take what the C library gave, too, so nothing is lost if the rest fails.
  const struct { const char *name; void *to; } replaced[] = {
      {"free", library_free}, {"realloc", library_realloc}, {"aligned_alloc", library_aligned_alloc}, {"posix_memalign", library_posix_memalign}};
  slot slots[most_slots];
  int found = 0;
  for (int k = 0; k < 4; k++) {
    int before = found;
    if (calls) found = find_slots(map, calls, calls_size, symbols, names, replaced[k].name, replaced[k].to, slots, found);
    if (others) found = find_slots(map, others, others_size, symbols, names, replaced[k].name, replaced[k].to, slots, found);
    if (found == before || found > most_slots) return -1;
  }
  if (protect(map, PROT_READ | PROT_WRITE)) return -1;
  for (int i = 0; i < found; i++) *slots[i].at = slots[i].to;
  return protect(map, PROT_READ);
}
