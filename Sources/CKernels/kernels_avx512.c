// The kernels for AVX-512: a vector of 16 floats is one register, a product tile 6 × 64.
#include "kernels_tables.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"))), \
                             apply_to = function)
#define FN(name) avx512_##name
#define ROWS 6
#define PANELS 4
#define GATHERS
#include "kernels_body.h"
#include "bf16_body.h"
#include "noise_body.h"
#pragma clang attribute pop

const rrcm_kernels rrcm_kernels_avx512 = RRCM_TABLE("avx512");
#endif
