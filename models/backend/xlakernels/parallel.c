//go:build cgo && linux && amd64 && !noxla

#include "parallel.h"
#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// work outlives its call: a task that the pool begins late finds no part left, and is the last to
// hold it. Only a thread that has a part touches the job.
typedef struct {
  void (*part)(const void *job, int number, float *scratch);
  const void *job;
  size_t scratch;
  int parts;
  atomic_int next, left, holders, failed;
  pthread_mutex_t lock;
  pthread_cond_t done;
} work;

static void let_go(work *w) {
  if (atomic_fetch_sub(&w->holders, 1) > 1) return;
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->done);
  free(w);
}

static void do_parts(work *w) {
  float *scratch = NULL;
  int number, did = 0;
  while ((number = atomic_fetch_add(&w->next, 1)) < w->parts) {
    did++;
    if (w->scratch && !scratch) scratch = take(sizeof(float) * w->scratch);
    if (w->scratch && !scratch) atomic_store(&w->failed, 1);
    else w->part(w->job, number, scratch);
  }
  if (scratch) give(scratch);
  if (did && atomic_fetch_sub(&w->left, did) == did) {
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
  }
}

static void help(void *data) {
  do_parts(data);
  let_go(data);
}

// What is left when the caller finds no more parts, others are at. They are soon done, so the caller
// spins for a while; but on a busy machine they may not be running, and then it sleeps.
static void wait_for(work *w) {
  for (int i = 0; i < 2000 && atomic_load(&w->left) > 0; i++) __builtin_ia32_pause();
  if (atomic_load(&w->left) == 0) return;
  pthread_mutex_lock(&w->lock);
  while (atomic_load(&w->left) > 0) pthread_cond_wait(&w->done, &w->lock);
  pthread_mutex_unlock(&w->lock);
}

int parallel(const pool *p, int parts, size_t scratch, void (*part)(const void *, int, float *), const void *job) {
  work *w = calloc(1, sizeof *w);
  if (!w) return -1;
  *w = (work){.part = part, .job = job, .scratch = scratch, .parts = parts};
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->done, NULL);
  atomic_init(&w->left, parts);
  atomic_init(&w->holders, 1);
  int helpers = (parts < p->threads ? parts : p->threads) - 1;
  for (int i = 0; p->schedule && i < helpers; i++) {
    atomic_fetch_add(&w->holders, 1);
    if (p->schedule(p->ctx, help, w)) {
      atomic_fetch_sub(&w->holders, 1);
      break;
    }
  }
  do_parts(w);
  wait_for(w);
  int failed = atomic_load(&w->failed);
  let_go(w);
  return failed ? -1 : 0;
}
