// What CUDA C++ gives kernels, on the processor. A block's threads are fibres that take turns: one runs until it meets a
// barrier, a shuffle or its end. Blocks run one after another, so `static` is as good as `__shared__`.
#ifndef RRCM_EMULATOR_PRIVATE_H
#define RRCM_EMULATOR_PRIVATE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <utility>

struct Index {
  unsigned x, y, z;
};

struct float4 {
  float x, y, z, w;
};
struct uint4 {
  uint32_t x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

extern Index threadIdx, blockIdx, blockDim;
extern unsigned char *emulated_shared;

#define __device__
#define __forceinline__ inline
#define RRCM_KERNEL(threads) void
#define RRCM_DYNAMIC_SHARED(name) unsigned char *name = emulated_shared

void __syncthreads();
void __syncwarp();
/// What lane `lane ^ mask` of the warp gives, through `bytes` of exchange.
void emulated_exchange(void *value, size_t bytes, int mask);

template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  emulated_exchange(&value, sizeof value, mask);
  return value;
}

inline float __uint_as_float(uint32_t x) {
  float y;
  memcpy(&y, &x, 4);
  return y;
}
inline uint32_t __float_as_uint(float x) {
  uint32_t y;
  memcpy(&y, &x, 4);
  return y;
}
inline float __int_as_float(int x) { return __uint_as_float((uint32_t)x); }
inline int64_t __double_as_longlong(double x) {
  int64_t y;
  memcpy(&y, &x, 8);
  return y;
}
inline double __longlong_as_double(int64_t x) {
  double y;
  memcpy(&y, &x, 8);
  return y;
}
inline float __fdiv_rn(float a, float b) { return a / b; }
inline void atomicAdd(int *p, int x) { *p += x; }
inline void atomicMin(uint32_t *p, uint32_t x) {
  if (x < *p) *p = x;
}
/// PTX's mma.m16n8k16 of bfloat16, by its definition.
void emulated_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1);

/// Kernels by name, each called with the launch's argument pointers.
typedef void (*Entry)(void **arguments);
struct NamedEntry {
  const char *name;
  Entry entry;
};
extern const NamedEntry noise_entries[], network_float_entries[], network_bf16_entries[], attention_float_entries[],
    attention_bf16_entries[], training_float_entries[], training_bf16_entries[], attention_backward_float_entries[],
    attention_backward_bf16_entries[];

#define ARGUMENT(type, i) (*(type *)arguments[i])

#endif
