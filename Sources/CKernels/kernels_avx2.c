// The kernels for AVX2 with FMA: a vector of 16 floats is two registers, a product tile 6 × 16.
#include "kernels_tables.h"

#if defined(__x86_64__)
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define FN(name) avx2_##name
#define ROWS 6
#define PANELS 1
#include "kernels_body.h"
#include "bf16_body.h"
#include "noise_body.h"
#pragma clang attribute pop

const rrcm_kernels rrcm_kernels_avx2 = RRCM_TABLE("avx2");
#endif
