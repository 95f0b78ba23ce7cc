// The kernels for AVX-512 with the dot product of bfloat16 pairs.
#include "kernels_tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16"))), \
                             apply_to = function)
#define FN(name) avx512bf16_##name
#define ROWS 6
#define PANELS 4
#define GATHERS
#define BF16_DOT
#include "kernels_body.h"
#include "bf16_body.h"
#include "noise_body.h"
#pragma clang attribute pop

const rrcm_kernels rrcm_kernels_avx512bf16 = RRCM_TABLE("avx512bf16");
#endif
