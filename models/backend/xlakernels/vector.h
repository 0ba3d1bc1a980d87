// Vectors of LANES floats, and what kernels need of the processor beyond + and *, which GCC's vector
// extension has (clang has it, too): there a number stands for LANES of it. Kernels are written once
// for any LANES; avx2.c and avx512.c compile them. Functions that compute with vectors carry TARGET,
// so the rest of the program runs on any processor, and may find out what this one has.
#pragma once
#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

#if LANES == 16
#define TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma,avx2")))
typedef float vec __attribute__((vector_size(64), aligned(64)));
typedef float unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(64), aligned(64)));
typedef uint64_t pairs __attribute__((vector_size(64), aligned(64)));
enum { registers = 32 };

INLINE vec splat(float f) { return (vec)_mm512_set1_ps(f); }
INLINE vec fma_(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vec between(float least, vec v, float most) { return (vec)_mm512_max_ps(_mm512_min_ps((__m512)v, (__m512)splat(most)), (__m512)splat(least)); }
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vec root(vec v) { return (vec)_mm512_sqrt_ps((__m512)v); }
INLINE vec nearest(vec v) { return (vec)_mm512_roundscale_ps((__m512)v, 8); }
// scale is p 2^n, for whole n from -126 to 127.
INLINE vec scale(vec p, vec n) { return (vec)_mm512_scalef_ps((__m512)p, (__m512)n); }

// multiply_words is the product of the lower words of each 64 bits.
INLINE words multiply_words(words a, words b) { return (words)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
// reverse_words reverses each group of four.
INLINE words reverse_words(words a) { return (words)_mm512_shuffle_epi32((__m512i)a, (_MM_PERM_ENUM)0x1b); }

// transpose_block is LANES x LANES values of a matrix, transposed by rounds of shuffles.
INLINE void transpose_block(const float *from, size_t from_row, float *to, size_t to_row) {
  __m512 r[16], t[16];
#define LOW(x, y) _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
#define HIGH(x, y) _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
  UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * from_row);
  UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < 16; i += 4) {
    r[i] = LOW(t[i], t[i + 2]);
    r[i + 1] = HIGH(t[i], t[i + 2]);
    r[i + 2] = LOW(t[i + 1], t[i + 3]);
    r[i + 3] = HIGH(t[i + 1], t[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 16; i++) _mm512_storeu_ps(to + i * to_row, r[i]);
#undef LOW
#undef HIGH
}
#else
#define TARGET __attribute__((target("avx2,fma")))
typedef float vec __attribute__((vector_size(32), aligned(32)));
typedef float unaligned __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(32), aligned(32)));
typedef uint64_t pairs __attribute__((vector_size(32), aligned(32)));
enum { registers = 16 };

INLINE vec splat(float f) { return (vec)_mm256_set1_ps(f); }
INLINE vec fma_(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vec between(float least, vec v, float most) { return (vec)_mm256_max_ps(_mm256_min_ps((__m256)v, (__m256)splat(most)), (__m256)splat(least)); }
INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vec root(vec v) { return (vec)_mm256_sqrt_ps((__m256)v); }
INLINE vec nearest(vec v) { return (vec)_mm256_round_ps((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec scale(vec p, vec n) { // 2^n by its exponent's bits
  return p * (vec)_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32((__m256)n), _mm256_set1_epi32(127)), 23);
}

INLINE words multiply_words(words a, words b) { return (words)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
INLINE words reverse_words(words a) { return (words)_mm256_shuffle_epi32((__m256i)a, 0x1b); }

INLINE void transpose_block(const float *from, size_t from_row, float *to, size_t to_row) {
  __m256 r[8], t[8];
  UNROLL for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(from + i * from_row);
  UNROLL for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(to + i * to_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#endif

#define root_half 0.70710678f // of which the square is 1/2

INLINE vec load(const float *p) { return (vec)*(const unaligned *)p; }
INLINE void store(float *p, vec v) { *(unaligned *)p = (unaligned)v; }
