// What training needs besides the network's kernels: images to patches, BatchNorm, optimizer arithmetic. Plain C: one
// version gives the same bits everywhere.
#ifndef RRCM_TRAINING_H
#define RRCM_TRAINING_H

#include <stddef.h>

/// image [channels, side, side] → rows [patches, channels·patch²], patches row by row, each in (channel, row, column)
/// order: ((x − shift)·gain)·scale.
void rrcm_patchify(const float *image, long channels, long side, long patch, float shift, float gain, float scale,
                   float *rows);

/// One BatchNorm1d over `columns` of x [rows, columns], all matrices at row stride `stride`. Epsilon 1e-5.
typedef struct {
  long rows, columns, stride;
  const float *x;
  const float *gain, *bias;
  float *mean, *scale;  ///< [columns] used for normalising: scale = 1/√(variance + epsilon)
} rrcm_batch_norm;

/// Batch statistics into mean and scale; running statistics move by `momentum` towards them, the variance unbiased
/// (spec 2.4). Sums in double.
void rrcm_batch_norm_moments(const rrcm_batch_norm *norm, float momentum, float *running_mean, float *running_variance);

/// y = max(0, (x − mean)·scale·gain + bias).
void rrcm_batch_norm_relu(const rrcm_batch_norm *norm, float *y);

/// From y's gradient to x's, in place in `gradient`; adds the gradients of gain and bias. `moving` is 0 where mean and
/// scale are constants (evaluation mode). y is what rrcm_batch_norm_relu wrote.
void rrcm_batch_norm_relu_backward(const rrcm_batch_norm *norm, int moving, const float *y, float *gradient,
                                   float *gain_gradient, float *bias_gradient);

/// Constants of one AdamW update (spec 5.2).
typedef struct {
  float gradient_scale;
  float decay;       ///< 1 − learning rate · weight decay
  float one_minus_beta1, beta2, one_minus_beta2;
  float step_size;   ///< learning rate / (1 − beta1^step)
  float root_correction;  ///< √(1 − beta2^step)
  float epsilon;
} rrcm_adamw;

void rrcm_adamw_update(const rrcm_adamw *constants, size_t count, float *p, const float *gradient, float *first,
                       float *second);

/// target ← rate·target + (1 − rate)·other.
void rrcm_average(size_t count, float *target, const float *other, float rate);

/// Σ x² in double, in one fixed order.
double rrcm_sum_of_squares(size_t count, const float *x);

#endif
