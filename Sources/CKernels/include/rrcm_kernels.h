// The noise and the float32 kernels of the vision transformer, compiled for several instruction sets.
//
// Every set gives the same bits: each output element is one fixed sequence of IEEE operations (fused multiply-adds over 16
// lanes, folded in one order), whatever the vector width, and does not depend on the other rows of its matrix.
#ifndef RRCM_KERNELS_H
#define RRCM_KERNELS_H

#include <stddef.h>

#include "rrcm_noise.h"

/// Columns that a product computes side by side. Operand B may be read, and is ignored, up to 15 floats past its last
/// column, so a buffer that holds one ends with that much room.
enum { RRCM_LANES = 16 };

/// C[rows, columns] = base + bias + A[rows, depth]·B[depth, columns], then GELU where asked.
///
/// A's element (i, p) is a[i·a_row + p·a_step]. B's element (p, j) is b[(j / 16)·b_panel + p·b_step + j % 16]: packed
/// panels (b_step 16, b_panel 16·depth) or a plain row-major matrix (b_step its row length, b_panel 16).
typedef struct {
  long rows, columns, depth;
  const float *a;
  long a_row, a_step;
  const float *b;
  long b_step, b_panel;
  float *c;
  long c_row;
  const float *base;  ///< [rows, columns] at row stride base_row; may be c itself; NULL for zero
  long base_row;
  const float *bias;  ///< [columns]; NULL for zero
  int gelu;
} rrcm_product;

/// C[rows, columns] = base + bias + A[rows, depth]·B[depth, columns] on bfloat16 factors with float32 sums; or, where
/// `rounded` is set, bias + A·B, its GELU where asked, times `gain`, rounded to bfloat16.
typedef struct {
  long rows, columns, depth;  ///< depth is even
  const uint16_t *a;          ///< rows at stride a_row, which is even
  long a_row;
  const uint16_t *b;  ///< panels of rrcm_pack_bf16
  float *c;
  uint16_t *rounded;  ///< instead of c; NULL for c
  long c_row;         ///< of c or rounded
  const float *base;
  long base_row;
  const float *bias;
  const float *gain;  ///< [rows]; NULL for one
  int gelu;
} rrcm_product_bf16;

/// Multi-head attention of one sample. Head h uses columns h·head_width … of q, k, v, out and their gradients.
typedef struct {
  long queries, tokens, heads, head_width;
  const float *q;  ///< [queries, heads·head_width] at row stride q_row
  long q_row;
  const float *k, *v;  ///< [tokens, heads·head_width] at row stride kv_row
  long kv_row;
  float *out;  ///< softmax(q·kᵀ/√head_width)·v, row stride out_row
  long out_row;
  float *scratch;  ///< rrcm_attention_scratch floats
} rrcm_attention;

/// The same on bfloat16 factors: scores and their exponentials are float32, the exponentials are rounded for the second
/// product, and its sums are divided by the sum of those rounded before they are rounded themselves.
typedef struct {
  long queries, tokens, heads, head_width;  ///< head_width is even
  const uint16_t *q;
  long q_row;
  const uint16_t *k, *v;
  long kv_row;
  uint16_t *out;
  long out_row;
  float *scratch;  ///< rrcm_attention_scratch floats
} rrcm_attention_bf16;

/// Gradients of `forward.out` carried back to q, k and v, at the row strides of q, k and v. Overwritten.
typedef struct {
  rrcm_attention forward;  ///< `out` is not read; `scratch` holds rrcm_attention_scratch floats
  const float *out_gradient;
  long out_gradient_row;
  float *q_gradient, *k_gradient, *v_gradient;
} rrcm_attention_gradient;

/// Floats of scratch that one attention call needs, forward or backward.
size_t rrcm_attention_scratch(long queries, long tokens, long head_width);

/// One instruction set's kernels.
typedef struct {
  const char *name;  ///< "portable", "avx2", "avx512", "avx512bf16"

  void (*product)(const rrcm_product *);
  void (*attention)(const rrcm_attention *);
  void (*attention_backward)(const rrcm_attention_gradient *);

  /// y = (x - mean)/√(variance + 1e-5)·gain + bias over each row; biased variance (spec 2.3). y may be x.
  void (*layer_norm)(long rows, long width, const float *x, long x_row, const float *gain, const float *bias, float *y,
                     long y_row);
  /// Adds to x_gradient what the rows' LayerNorm carries back from y_gradient.
  void (*layer_norm_backward)(long rows, long width, const float *x, long x_row, const float *gain,
                              const float *y_gradient, long y_gradient_row, float *x_gradient, long x_gradient_row);
  /// Adds the gradients of gain and bias, summed over rows in double. scratch: 2·width doubles.
  void (*layer_norm_gradients)(long rows, long width, const float *x, long x_row, const float *y_gradient,
                               long y_gradient_row, float *gain_gradient, float *bias_gradient, double *scratch);

  /// y = ½x(1 + erf(x/√2)), the exact GELU to float32 rounding. y may be x.
  void (*gelu)(size_t count, const float *x, float *y);
  /// gradient ← gradient·GELU'(x).
  void (*gelu_backward)(size_t count, const float *x, float *gradient);

  /// sums[j] += Σ_i y[i·y_row + j], summed in double in row order.
  void (*column_sums)(long rows, long columns, const float *y, long y_row, float *sums);

  void (*product_bf16)(const rrcm_product_bf16 *);
  void (*attention_bf16)(const rrcm_attention_bf16 *);
  /// `layer_norm` rounded to bfloat16.
  void (*layer_norm_bf16)(long rows, long width, const float *x, long x_row, const float *gain, const float *bias,
                          uint16_t *y, long y_row);

  /// integers[e] = k_e, the grid noise alone.
  void (*grid_noise)(int32_t *integers, size_t count, const rrcm_noise_place *place, const rrcm_grid_table *table);
  /// values[e] = (m·pixels[e] + k_e) / (255·m), one correctly rounded float32 division of exact integers.
  void (*grid_pixels)(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                      const rrcm_grid_table *table);
  /// values[e] = standard normal: Box–Muller on 53-bit uniforms in double, rounded once to float32. Uses no libm, so the
  /// bits are the same on every machine with IEEE arithmetic.
  void (*normals)(float *values, size_t count, const rrcm_noise_place *place);
  /// values[e] = float32(pixels[e])/255 + sigma·z_e with float32 standard normals z.
  void (*gaussian_pixels)(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                          float sigma);
} rrcm_kernels;

/// The fastest set that this processor runs.
const rrcm_kernels *rrcm_kernels_best(void);

/// The i-th set that this processor runs, slowest (portable) first; NULL past the last.
const rrcm_kernels *rrcm_kernels_at(int i);

/// Packs w [columns, depth], row-major, into panels of 16 columns for use as B: [⌈columns/16⌉][depth][16], zero-padded.
void rrcm_pack_transposed(long columns, long depth, const float *w, float *panels);

/// Packs w [columns, depth], row-major, rounded to bfloat16, into panels of 16 columns of pairs:
/// [⌈columns/16⌉][depth/2][16][2], zero-padded. depth is even.
void rrcm_pack_bf16(long columns, long depth, const float *w, uint16_t *panels);

#endif
