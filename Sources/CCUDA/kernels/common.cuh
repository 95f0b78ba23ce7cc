// What every kernel file starts with. NVRTC compiles these files for the device found; the tests compile them for the
// processor, with a small emulation of blocks, warps and barriers in place of the device (RRCM_EMULATED).
#ifndef RRCM_COMMON_CUH
#define RRCM_COMMON_CUH

#ifndef RRCM_EMULATED
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define RRCM_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define RRCM_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

#define WARP 32
#define ALL_LANES 0xFFFFFFFFu

/// Bits of a bfloat16.
struct bf16 {
  uint16_t bits;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((uint32_t)x.bits << 16); }

/// To the nearest bfloat16, ties to even.
__device__ __forceinline__ uint16_t bf16_bits(float x) {
#ifdef RRCM_EMULATED
  const uint32_t u = __float_as_uint(x);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;
  return (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
#else
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#endif
}

__device__ __forceinline__ void store(float *p, float x) { *p = x; }
__device__ __forceinline__ void store(bf16 *p, float x) { p->bits = bf16_bits(x); }

/// Two bfloat16, the first in the low half.
__device__ __forceinline__ uint32_t bf16_pair(float first, float second) {
  return (uint32_t)bf16_bits(first) | (uint32_t)bf16_bits(second) << 16;
}

/// Sum over a warp, the same bits in every lane.
__device__ __forceinline__ float warp_sum(float x) {
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}

__device__ __forceinline__ float warp_largest(float x) {
  for (int step = WARP / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
}

/// What the samples of a chunk share; written by the host once per chunk.
struct Chunk {
  uint32_t key[2];
  uint32_t image;
  uint32_t phase;
  /// One past the last sample.
  uint32_t end;
  /// c_in of the noise level.
  float scale;
  /// Noise deviation in the [0, 1] pixel range.
  float sigma;
};

#endif
