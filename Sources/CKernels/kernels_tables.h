// The sets compiled in. One that the processor cannot run must not be called.
#ifndef RRCM_KERNELS_TABLES_H
#define RRCM_KERNELS_TABLES_H

#include "rrcm_kernels.h"

extern const rrcm_kernels rrcm_kernels_portable;
#if defined(__x86_64__)
extern const rrcm_kernels rrcm_kernels_avx2;
extern const rrcm_kernels rrcm_kernels_avx512;
extern const rrcm_kernels rrcm_kernels_avx512bf16;
#endif

#define RRCM_TABLE(text)                                                                                           \
  {                                                                                                                \
    .name = text, .product = FN(product), .attention = FN(attention), .attention_backward = FN(attention_backward), \
    .layer_norm = FN(layer_norm), .layer_norm_backward = FN(layer_norm_backward),                                  \
    .layer_norm_gradients = FN(layer_norm_gradients), .gelu = FN(gelu), .gelu_backward = FN(gelu_backward),        \
    .column_sums = FN(column_sums), .grid_noise = FN(grid_noise), .grid_pixels = FN(grid_pixels),                  \
    .normals = FN(normals), .gaussian_pixels = FN(gaussian_pixels), .product_bf16 = FN(product_bf16),              \
    .attention_bf16 = FN(attention_bf16), .layer_norm_bf16 = FN(layer_norm_bf16)                                   \
  }

#endif
