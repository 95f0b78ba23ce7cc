// What training does beside matrix products and attention: gradients of tokens, LayerNorm, GELU and BatchNorm, sums over
// rows, and AdamW. Parameters, their gradients, the residual stream and its gradient are float32; RRCM_ELEMENT is what
// products read. Sums over rows are cut into pieces of fixed size and added in order: the same bits every time.
#include "common.cuh"

typedef RRCM_ELEMENT element;

/// Tokens [n, T, d]: positions plus the class token, a sample's time embedding, or its embedded patches and their bias.
RRCM_KERNEL(256) train_embed(
    float *tokens, const float *position, const float *class_token, const float *bias, const float *patches,
    const float *times, const int *time, int count, int width, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const int j = (int)(i % width), t = (int)(i / width % count);
  const long sample = i / width / count;
  float x = position[t * width + j];
  if (t == 0) {
    x += class_token[j];
  } else if (t == 1) {
    x += times[time[sample] * width + j];
  } else {
    x = x + bias[j] + patches[(sample * (count - 2) + t - 2) * width + j];
  }
  tokens[i] = x;
}

/// Rows of the patches, [n, T − 2, d], out of those of all tokens [n, T, d].
RRCM_KERNEL(256) patch_rows(float *patches, const float *tokens, int count, int width, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const long row = i / width;
  patches[i] = tokens[(row / (count - 2) * count + row % (count - 2) + 2) * width + i % width];
}

/// To what products read.
RRCM_KERNEL(256) to_element(element *y, const float *x, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < total) store(y + i, x[i]);
}

/// y = GELU(x + bias), rows of `columns`.
RRCM_KERNEL(256) gelu_of_sum(element *y, const element *x, const float *bias, int columns, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const float v = to_float(x[i]) + bias[i % columns];
  store(y + i, 0.5f * v * (1.0f + erff(v * 0.70710678118654752f)));
}

/// gradient ·= GELU′(x + bias).
RRCM_KERNEL(256) gelu_backward(element *gradient, const element *x, const float *bias, int columns, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const float v = to_float(x[i]) + bias[i % columns];
  const float slope = 0.5f * (1.0f + erff(v * 0.70710678118654752f)) + v * 0.3989422804014327f * expf(-0.5f * v * v);
  store(gradient + i, to_float(gradient[i]) * slope);
}

/// dx = residual + the gradient that LayerNorm carries back; a warp per row, four a block. Mean and 1/deviation of each
/// row go to `statistics` [rows, 2], and dx once more to `copy` unless it is null. With `tokens` > 0 the residual has a
/// row for every tokens-th row alone; it may be null.
RRCM_KERNEL(128) layer_norm_backward(
    float *dx, element *copy, float *statistics, const float *x, const float *gain, const float *dy,
    const float *residual, int width, int tokens, long rows) {
  const long row = (long)blockIdx.x * 4 + threadIdx.x / WARP;
  const int lane = threadIdx.x % WARP;
  if (row >= rows) return;
  x += row * width, dy += row * width;
  float sum = 0, squares = 0, first = 0, second = 0;
  for (int j = lane; j < width; j += WARP) sum += x[j];
  const float mean = warp_sum(sum) / (float)width;
  for (int j = lane; j < width; j += WARP) squares += (x[j] - mean) * (x[j] - mean);
  const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)width + 1e-5f);
  for (int j = lane; j < width; j += WARP) {
    const float g = dy[j] * gain[j];
    first += g;
    second += g * ((x[j] - mean) * scale);
  }
  first = warp_sum(first) / (float)width;
  second = warp_sum(second) / (float)width;
  const bool has = residual && (tokens == 0 || row % tokens == 0);
  const float *base = has ? residual + (tokens == 0 ? row : row / tokens) * width : nullptr;
  for (int j = lane; j < width; j += WARP) {
    float g = scale * (dy[j] * gain[j] - first - (x[j] - mean) * scale * second);
    if (has) g += base[j];
    dx[row * width + j] = g;
    if (copy) store(copy + row * width + j, g);
  }
  if (lane == 0) statistics[2 * row] = mean, statistics[2 * row + 1] = scale;
}

// Sums over rows: 32 columns and 8 rows at a time a block; blockIdx.x is the group of columns, .y the piece of `piece`
// rows. What comes out, [pieces, columns], add_pieces puts together.

/// Of eight threads of a column to the first, in order.
template <typename T>
__device__ __forceinline__ T sum_of_eight(T *memory, T x) {
  memory[threadIdx.x] = x;
  __syncthreads();
  T sum = 0;
  for (int i = 0; i < 8; i++) sum += memory[i * WARP + threadIdx.x % WARP];
  __syncthreads();
  return sum;
}

template <typename T>
__device__ __forceinline__ void sum_columns(float *pieces, const T *x, int columns, int piece, long rows) {
  RRCM_DYNAMIC_SHARED(memory);
  const int column = blockIdx.x * WARP + threadIdx.x % WARP;
  const long start = (long)blockIdx.y * piece, end = start + piece < rows ? start + piece : rows;
  float sum = 0;
  if (column < columns) {
    for (long row = start + threadIdx.x / WARP; row < end; row += 8) sum += to_float(x[row * columns + column]);
  }
  sum = sum_of_eight((float *)memory, sum);
  if (threadIdx.x < WARP && column < columns) pieces[(long)blockIdx.y * columns + column] = sum;
}

RRCM_KERNEL(256) column_sums(float *pieces, const element *x, int columns, int piece, long rows) {
  sum_columns(pieces, x, columns, piece, rows);
}

RRCM_KERNEL(256) column_sums_float(float *pieces, const float *x, int columns, int piece, long rows) {
  sum_columns(pieces, x, columns, piece, rows);
}

/// Pieces [pieces, 2, d] of the gradients of LayerNorm's gain and bias.
RRCM_KERNEL(256) norm_sums(
    float *pieces, const float *x, const float *dy, const float *statistics, int width, int piece, long rows) {
  RRCM_DYNAMIC_SHARED(memory);
  const int column = blockIdx.x * WARP + threadIdx.x % WARP;
  const long start = (long)blockIdx.y * piece, end = start + piece < rows ? start + piece : rows;
  float gain = 0, bias = 0;
  if (column < width) {
    for (long row = start + threadIdx.x / WARP; row < end; row += 8) {
      const float g = dy[row * width + column];
      gain += g * ((x[row * width + column] - statistics[2 * row]) * statistics[2 * row + 1]);
      bias += g;
    }
  }
  gain = sum_of_eight((float *)memory, gain);
  bias = sum_of_eight((float *)memory, bias);
  if (threadIdx.x < WARP && column < width) {
    pieces[(long)blockIdx.y * 2 * width + column] = gain;
    pieces[((long)blockIdx.y * 2 + 1) * width + column] = bias;
  }
}

/// into [columns] += Σ pieces, which lie `row` apart.
RRCM_KERNEL(256) add_pieces(float *into, const float *pieces, int columns, int row, int count) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = 0;
  for (int i = 0; i < count; i++) sum += (double)pieces[(long)i * row + column];
  into[column] += (float)sum;
}

// BatchNorm of columns, then ReLU (spec 2.4).

/// Mean and 1/deviation of every column, and the running statistics moved by 0.1; 32 columns a block.
RRCM_KERNEL(256) batch_norm_moments(
    float *mean, float *scale, float *running_mean, float *running_variance, float *batches, const float *x,
    int columns, int rows) {
  RRCM_DYNAMIC_SHARED(memory);
  const int column = blockIdx.x * WARP + threadIdx.x % WARP;
  double sum = 0, squares = 0;
  if (column < columns) {
    for (int row = threadIdx.x / WARP; row < rows; row += 8) sum += (double)x[(long)row * columns + column];
  }
  const double middle = sum_of_eight((double *)memory, sum) / rows;
  if (column < columns) {
    for (int row = threadIdx.x / WARP; row < rows; row += 8) {
      const double d = (double)x[(long)row * columns + column] - middle;
      squares += d * d;
    }
  }
  squares = sum_of_eight((double *)memory, squares);
  if (blockIdx.x == 0 && threadIdx.x == 0) *batches += 1.0f;
  if (threadIdx.x >= WARP || column >= columns) return;
  mean[column] = (float)middle;
  scale[column] = (float)(1.0 / sqrt(squares / rows + 1e-5));
  const float unbiased = (float)(squares / (rows > 1 ? rows - 1 : 1));
  running_mean[column] += 0.1f * ((float)middle - running_mean[column]);
  running_variance[column] += 0.1f * (unbiased - running_variance[column]);
}

/// 1/deviation from the running variance.
RRCM_KERNEL(256) running_scale(float *scale, const float *running_variance, int columns) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column < columns) scale[column] = 1.0f / sqrtf(running_variance[column] + 1e-5f);
}

RRCM_KERNEL(256) batch_norm_relu(
    float *y, const float *x, const float *mean, const float *scale, const float *gain, const float *bias, int columns,
    long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const int j = (int)(i % columns);
  const float v = (x[i] - mean[j]) * scale[j] * gain[j] + bias[j];
  y[i] = v < 0 ? 0 : v;  // keeps NaN
}

/// The gradient of y, in place, to that of x; gain's and bias's are added to theirs. With `moving` the statistics were
/// the batch's, and gradients flow through them.
RRCM_KERNEL(256) batch_norm_relu_backward(
    float *gradient, float *gain_gradient, float *bias_gradient, const float *y, const float *x, const float *mean,
    const float *scale, const float *gain, int columns, int rows, int moving) {
  RRCM_DYNAMIC_SHARED(memory);
  const int column = blockIdx.x * WARP + threadIdx.x % WARP;
  const bool inside = column < columns;
  const double middle = inside ? mean[column] : 0, by = inside ? scale[column] : 0;
  double sum = 0, slope = 0;
  if (inside) {
    for (int row = threadIdx.x / WARP; row < rows; row += 8) {
      const long i = (long)row * columns + column;
      if (!(y[i] > 0)) gradient[i] = 0;
      sum += (double)gradient[i];
      slope += (double)gradient[i] * (((double)x[i] - middle) * by);
    }
  }
  sum = sum_of_eight((double *)memory, sum);
  slope = sum_of_eight((double *)memory, slope);
  if (!inside) return;
  for (int row = threadIdx.x / WARP; row < rows; row += 8) {
    const long i = (long)row * columns + column;
    double g = (double)gradient[i];
    if (moving) g -= (sum + ((double)x[i] - middle) * by * slope) / rows;
    gradient[i] = (float)(g * by * (double)gain[column]);
  }
  if (threadIdx.x < WARP) {
    gain_gradient[column] += (float)slope;
    bias_gradient[column] += (float)sum;
  }
}

// Whole networks, a block per segment: a piece of one tensor.

struct Segment {
  long first;
  int count;
  int tensor;
};

/// Σ x² of each segment.
RRCM_KERNEL(256) segment_squares(double *squares, const float *x, const Segment *segments) {
  RRCM_DYNAMIC_SHARED(memory);
  const Segment s = segments[blockIdx.x];
  double sum = 0;
  for (int i = threadIdx.x; i < s.count; i += blockDim.x) sum += (double)x[s.first + i] * (double)x[s.first + i];
  sum = sum_of_eight((double *)memory, sum);
  ((double *)memory)[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double all = 0;
  for (int i = 0; i < WARP; i++) all += ((double *)memory)[i];
  squares[blockIdx.x] = all;
}

/// What an update does alike to every parameter, and to those of one tensor.
struct AdamW {
  float gradient_scale, one_minus_beta1, beta2, one_minus_beta2, root_correction, epsilon;
};
struct AdamWGroup {
  float decay, step_size;
  /// 0 for a tensor that is left as it is.
  int trains;
};

/// One AdamW step (spec 5.2); the parameters once more as products read them, unless `copy` is null.
RRCM_KERNEL(256) adamw(
    float *parameters, element *copy, const float *gradients, float *first, float *second, const Segment *segments,
    const AdamWGroup *groups, AdamW c) {
  const Segment s = segments[blockIdx.x];
  const AdamWGroup group = groups[s.tensor];
  if (!group.trains) return;
  for (int k = threadIdx.x; k < s.count; k += blockDim.x) {
    const long i = s.first + k;
    const float g = gradients[i] * c.gradient_scale;
    const float m = first[i] + c.one_minus_beta1 * (g - first[i]);
    const float v = second[i] * c.beta2 + c.one_minus_beta2 * g * g;
    first[i] = m;
    second[i] = v;
    const float p = parameters[i] * group.decay - group.step_size * (m / (sqrtf(v) / c.root_correction + c.epsilon));
    parameters[i] = p;
    if (copy) store(copy + i, p);
  }
}

/// parameters = rate·parameters + (1 − rate)·other.
RRCM_KERNEL(256) average(
    float *parameters, element *copy, const float *other, const Segment *segments, float rate) {
  const Segment s = segments[blockIdx.x];
  const float rest = 1.0f - rate;
  for (int k = threadIdx.x; k < s.count; k += blockDim.x) {
    const long i = s.first + k;
    const float p = parameters[i] * rate + other[i] * rest;
    parameters[i] = p;
    if (copy) store(copy + i, p);
  }
}
