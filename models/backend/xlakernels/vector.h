// Vectors of 16 floats. They are GCC's vector extension, which clang has, too: + and * work on them,
// and a number stands for 16 of it. Functions that compute with them carry the attribute, so the rest
// of the program runs on any processor, and may find out whether this one has AVX-512.
#include <immintrin.h>
#include <stddef.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma,avx2")))
#define INLINE static inline __attribute__((always_inline)) AVX512

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float v16 __attribute__((vector_size(64), aligned(64)));
typedef float unaligned16 __attribute__((vector_size(64), aligned(4), may_alias));

INLINE v16 load(const float *p) { return (v16)*(const unaligned16 *)p; }
INLINE void store(float *p, v16 v) { *(unaligned16 *)p = (unaligned16)v; }
