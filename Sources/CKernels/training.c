#include "rrcm_training.h"

enum { BLOCK = 64 };

void rrcm_patchify(const float *image, long channels, long side, long patch, float shift, float gain, float scale,
                   float *rows) {
  for (long top = 0; top < side; top += patch) {
    for (long left = 0; left < side; left += patch) {
      for (long c = 0; c < channels; c++) {
        for (long y = 0; y < patch; y++) {
          const float *line = image + (c * side + top + y) * side + left;
          for (long x = 0; x < patch; x++) *rows++ = ((line[x] - shift) * gain) * scale;
        }
      }
    }
  }
}

void rrcm_batch_norm_moments(const rrcm_batch_norm *norm, float momentum, float *running_mean, float *running_variance) {
  const double rows = (double)norm->rows;
  for (long j0 = 0; j0 < norm->columns; j0 += BLOCK) {
    const long n = norm->columns - j0 < BLOCK ? norm->columns - j0 : BLOCK;
    double mean[BLOCK] = {0}, variance[BLOCK] = {0};
    for (long i = 0; i < norm->rows; i++) {
      for (long j = 0; j < n; j++) mean[j] += (double)norm->x[i * norm->stride + j0 + j];
    }
    for (long j = 0; j < n; j++) mean[j] /= rows;
    for (long i = 0; i < norm->rows; i++) {
      for (long j = 0; j < n; j++) {
        const double d = (double)norm->x[i * norm->stride + j0 + j] - mean[j];
        variance[j] += d * d;
      }
    }
    for (long j = 0; j < n; j++) {
      norm->mean[j0 + j] = (float)mean[j];
      norm->scale[j0 + j] = (float)(1.0 / __builtin_sqrt(variance[j] / rows + 1e-5));
      const float unbiased = (float)(variance[j] / (norm->rows > 1 ? rows - 1 : 1));
      running_mean[j0 + j] += momentum * ((float)mean[j] - running_mean[j0 + j]);
      running_variance[j0 + j] += momentum * (unbiased - running_variance[j0 + j]);
    }
  }
}

void rrcm_batch_norm_relu(const rrcm_batch_norm *norm, float *y) {
  for (long i = 0; i < norm->rows; i++) {
    const float *x = norm->x + i * norm->stride;
    float *out = y + i * norm->stride;
    for (long j = 0; j < norm->columns; j++) {
      const float v = (x[j] - norm->mean[j]) * norm->scale[j] * norm->gain[j] + norm->bias[j];
      out[j] = v < 0 ? 0 : v;  // keeps NaN
    }
  }
}

void rrcm_batch_norm_relu_backward(const rrcm_batch_norm *norm, int moving, const float *y, float *gradient,
                                   float *gain_gradient, float *bias_gradient) {
  const double rows = (double)norm->rows;
  for (long j0 = 0; j0 < norm->columns; j0 += BLOCK) {
    const long n = norm->columns - j0 < BLOCK ? norm->columns - j0 : BLOCK;
    double sum[BLOCK] = {0}, slope[BLOCK] = {0};
    for (long i = 0; i < norm->rows; i++) {
      const long at = i * norm->stride + j0;
      for (long j = 0; j < n; j++) {
        if (!(y[at + j] > 0)) gradient[at + j] = 0;
        const double normal = ((double)norm->x[at + j] - (double)norm->mean[j0 + j]) * (double)norm->scale[j0 + j];
        sum[j] += (double)gradient[at + j];
        slope[j] += (double)gradient[at + j] * normal;
      }
    }
    for (long j = 0; j < n; j++) {
      gain_gradient[j0 + j] += (float)slope[j];
      bias_gradient[j0 + j] += (float)sum[j];
    }
    for (long i = 0; i < norm->rows; i++) {
      const long at = i * norm->stride + j0;
      for (long j = 0; j < n; j++) {
        const double normal = ((double)norm->x[at + j] - (double)norm->mean[j0 + j]) * (double)norm->scale[j0 + j];
        double g = (double)gradient[at + j];
        if (moving) g -= (sum[j] + normal * slope[j]) / rows;
        gradient[at + j] = (float)(g * (double)norm->scale[j0 + j] * (double)norm->gain[j0 + j]);
      }
    }
  }
}

void rrcm_adamw_update(const rrcm_adamw *constants, size_t count, float *restrict p, const float *restrict gradient,
                       float *restrict first, float *restrict second) {
  const rrcm_adamw c = *constants;
  for (size_t i = 0; i < count; i++) {
    const float g = gradient[i] * c.gradient_scale;
    const float m = first[i] + c.one_minus_beta1 * (g - first[i]);
    const float v = second[i] * c.beta2 + c.one_minus_beta2 * g * g;
    first[i] = m;
    second[i] = v;
    p[i] = p[i] * c.decay - c.step_size * (m / (__builtin_sqrtf(v) / c.root_correction + c.epsilon));
  }
}

void rrcm_average(size_t count, float *restrict target, const float *restrict other, float rate) {
  const float rest = 1.0f - rate;
  for (size_t i = 0; i < count; i++) target[i] = target[i] * rate + other[i] * rest;
}

double rrcm_sum_of_squares(size_t count, const float *x) {
  double lanes[8] = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; lane++) lanes[lane] += (double)x[i + lane] * (double)x[i + lane];
  }
  for (; i < count; i++) lanes[0] += (double)x[i] * (double)x[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}
