// The kernels, written once over vectors of 16 floats. Included by one file per instruction set, which defines FN (name
// decoration), ROWS and PANELS (a product's tile: rows × panels of 16 columns held in registers).
//
// Bits: `fma` is the only contraction, every reduction folds 16 lanes by halves, and a product sums blocks of DEPTH_BLOCK
// terms in order. Change any of these and CPUKernels.version must change too.

#define INLINE static inline __attribute__((always_inline))
#define RARE static __attribute__((noinline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define DEPTH_BLOCK 256
#define ROW_BLOCK 192

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef int i16 __attribute__((vector_size(64), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef float v4 __attribute__((vector_size(16), aligned(4)));
typedef double d16 __attribute__((vector_size(128), aligned(8)));

INLINE v16 FN(splat)(float x) { return x - (v16){0}; }
INLINE v16 FN(fma)(v16 a, v16 b, v16 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16 FN(choose)(i16 mask, v16 yes, v16 no) { return (v16)((mask & (i16)yes) | (~mask & (i16)no)); }

RARE v16 FN(load_part)(const float *p, long n) {
  v16 v = {0};
  __builtin_memcpy(&v, p, (size_t)n * sizeof(float));
  return v;
}

RARE void FN(store_part)(float *p, v16 v, long n) { __builtin_memcpy(p, &v, (size_t)n * sizeof(float)); }

// The first n of 16 floats, the rest zero.
INLINE v16 FN(load)(const float *p, long n) {
  return __builtin_expect(n >= 16, 1) ? *(const v16 *)p : FN(load_part)(p, n);
}

INLINE void FN(store)(float *p, v16 v, long n) {
  if (__builtin_expect(n >= 16, 1)) {
    *(v16 *)p = v;
  } else {
    FN(store_part)(p, v, n);
  }
}

// v with lanes n and up replaced by `other`.
INLINE v16 FN(first)(v16 v, long n, float other) {
  if (n >= 16) return v;
  const i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return FN(choose)(lane < (int)n, v, FN(splat)(other));
}

INLINE float FN(sum)(v16 v) {
  v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  v4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}

INLINE float FN(largest)(v16 v) {
  v16 w = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v = FN(choose)(v > w, v, w);
  w = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  v = FN(choose)(v > w, v, w);
  w = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  v = FN(choose)(v > w, v, w);
  return v[0] > v[1] ? v[0] : v[1];
}

// e^x for x ≤ 88, 0 below −87.3. Relative error under 2⁻²³.
INLINE v16 FN(exp)(v16 x) {
  const float magic = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer held in the low bits
  v16 shifted = FN(fma)(x, FN(splat)(1.44269504088896341f), FN(splat)(magic));
  v16 n = shifted - magic;
  v16 r = FN(fma)(n, FN(splat)(-0.693359375f), x);
  r = FN(fma)(n, FN(splat)(2.12194440054690583e-4f), r);
  v16 q = FN(fma)(FN(splat)(0.001381461275741458f), r, FN(splat)(0.008368710055947304f));
  q = FN(fma)(q, r, FN(splat)(0.04166838899254799f));
  q = FN(fma)(q, r, FN(splat)(0.1666652113199234f));
  q = FN(fma)(q, r, FN(splat)(0.4999999403953552f));
  v16 e = FN(fma)(q * r, r, r) + 1.0f;
  v16 power = (v16)(((i16)shifted << 23) + 0x3F800000);
  return FN(choose)(x < -87.3f, (v16){0}, e * power);
}

// erf(x/√2), error under 1.5·2⁻²³: x·R(x²) with R of degree 15 fitted on |x| ≤ 5.4, ±1 beyond.
INLINE v16 FN(erf)(v16 x) {
  static const float c[16] = {
      0.26185622811317444f,  -0.1306559145450592f,   0.09700009226799011f,  -0.07842139899730682f,
      0.06421682238578796f,  -0.05140243470668793f,  0.03939948230981827f,  -0.028388798236846924f,
      0.018959082663059235f, -0.012224432080984116f, 0.00786731019616127f,  -0.004052095115184784f,
      0.00131683936342597f,  -0.0008704207721166313f, 0.000918987556360662f, -0.000334166077664122f};
  v16 t = FN(fma)(x * x, FN(splat)((float)(2.0 / (5.4 * 5.4))), FN(splat)(-1.0f));
  v16 r = FN(splat)(c[15]);
  UNROLL
  for (int i = 14; i >= 0; i--) r = FN(fma)(r, t, FN(splat)(c[i]));
  v16 e = x * r;
  e = FN(choose)(x >= 5.4f, FN(splat)(1.0f), e);
  return FN(choose)(x <= -5.4f, FN(splat)(-1.0f), e);
}

INLINE v16 FN(gelu_of)(v16 x) {
  v16 half = x * 0.5f;
  return FN(fma)(half, FN(erf)(x), half);
}

RARE void FN(gelu_rows)(int rows, long columns, float *c, long c_row) {
  for (int i = 0; i < rows; i++, c += c_row) {
    for (long j = 0; j < columns; j += 16) FN(store)(c + j, FN(gelu_of)(FN(load)(c + j, columns - j)), columns - j);
  }
}

// ---- Products -------------------------------------------------------------------------------------------------------

// One tile, terms k0 … k0+depth of the sum. `a`, `b`, `c` point at the tile's corner; `columns` are left from there.
INLINE void FN(tile)(const int rows, const int panels, const rrcm_product *p, long row, long column, long k0, long depth) {
  const float *a = p->a + row * p->a_row + k0 * p->a_step;
  const float *b = p->b + (column / 16) * p->b_panel + k0 * p->b_step;
  const long a_row = p->a_row, a_step = p->a_step, b_step = p->b_step, b_panel = p->b_panel;
  v16 acc[ROWS][PANELS];
  UNROLL
  for (int i = 0; i < rows; i++) {
    UNROLL
    for (int j = 0; j < panels; j++) acc[i][j] = (v16){0};
  }
  for (long k = 0; k < depth; k++) {
    v16 bk[PANELS];
    UNROLL
    for (int j = 0; j < panels; j++) bk[j] = *(const v16 *)(b + j * b_panel + k * b_step);
    UNROLL
    for (int i = 0; i < rows; i++) {
      v16 x = FN(splat)(a[i * a_row + k * a_step]);
      UNROLL
      for (int j = 0; j < panels; j++) acc[i][j] = FN(fma)(x, bk[j], acc[i][j]);
    }
  }
  const int begins = k0 == 0;
  UNROLL
  for (int j = 0; j < panels; j++) {
    const long n = p->columns - column - j * 16;
    v16 bias = begins && p->bias ? FN(load)(p->bias + column + j * 16, n) : (v16){0};
    UNROLL
    for (int i = 0; i < rows; i++) {
      float *c = p->c + (row + i) * p->c_row + column + j * 16;
      v16 v = acc[i][j];
      if (!begins) {
        v += FN(load)(c, n);
      } else {
        v += bias;
        if (p->base) v += FN(load)(p->base + (row + i) * p->base_row + column + j * 16, n);
      }
      FN(store)(c, v, n);
    }
  }
  if (p->gelu && k0 + depth == p->depth) {
    const long left = p->columns - column;
    FN(gelu_rows)(rows, left < 16 * panels ? left : 16 * panels, p->c + row * p->c_row + column, p->c_row);
  }
}

INLINE void FN(tile_rows)(const int panels, int rows, const rrcm_product *p, long row, long column, long k0, long depth) {
  switch (rows) {
    case 1: FN(tile)(1, panels, p, row, column, k0, depth); break;
    case 2: FN(tile)(2, panels, p, row, column, k0, depth); break;
    case 3: FN(tile)(3, panels, p, row, column, k0, depth); break;
    case 4: FN(tile)(4, panels, p, row, column, k0, depth); break;
    case 5: FN(tile)(5, panels, p, row, column, k0, depth); break;
    default: FN(tile)(6, panels, p, row, column, k0, depth); break;
  }
}

static void FN(product)(const rrcm_product *p) {
  for (long k0 = 0; k0 < p->depth; k0 += DEPTH_BLOCK) {
    const long depth = p->depth - k0 < DEPTH_BLOCK ? p->depth - k0 : DEPTH_BLOCK;
    for (long top = 0; top < p->rows; top += ROW_BLOCK) {
      const long bottom = p->rows - top < ROW_BLOCK ? p->rows : top + ROW_BLOCK;
      for (long column = 0; column < p->columns; column += 16 * PANELS) {
        const long left = (p->columns - column + 15) / 16;
        for (long row = top; row < bottom; row += ROWS) {
          const int rows = bottom - row < ROWS ? (int)(bottom - row) : ROWS;
          switch (left < PANELS ? left : PANELS) {
            case 1: FN(tile_rows)(1, rows, p, row, column, k0, depth); break;
#if PANELS > 1
            case 2: FN(tile_rows)(2, rows, p, row, column, k0, depth); break;
            case 3: FN(tile_rows)(3, rows, p, row, column, k0, depth); break;
            default: FN(tile_rows)(4, rows, p, row, column, k0, depth); break;
#endif
          }
        }
      }
    }
  }
}

// ---- LayerNorm ------------------------------------------------------------------------------------------------------

INLINE void FN(moments)(long width, const float *x, float *mean, float *scale) {
  v16 s = {0};
  for (long j = 0; j < width; j += 16) s += FN(load)(x + j, width - j);
  *mean = FN(sum)(s) / (float)width;
  v16 q = {0};
  for (long j = 0; j < width; j += 16) {
    v16 d = FN(first)(FN(load)(x + j, width - j) - *mean, width - j, 0);
    q = FN(fma)(d, d, q);
  }
  *scale = 1.0f / __builtin_sqrtf(FN(sum)(q) / (float)width + 1e-5f);
}

static void FN(layer_norm)(long rows, long width, const float *x, long x_row, const float *gain, const float *bias,
                           float *y, long y_row) {
  for (long i = 0; i < rows; i++, x += x_row, y += y_row) {
    float mean, scale;
    FN(moments)(width, x, &mean, &scale);
    for (long j = 0; j < width; j += 16) {
      const long n = width - j;
      v16 normal = (FN(load)(x + j, n) - mean) * scale;
      FN(store)(y + j, FN(fma)(normal, FN(load)(gain + j, n), FN(load)(bias + j, n)), n);
    }
  }
}

static void FN(layer_norm_backward)(long rows, long width, const float *x, long x_row, const float *gain,
                                    const float *y_gradient, long y_gradient_row, float *x_gradient,
                                    long x_gradient_row) {
  for (long i = 0; i < rows; i++, x += x_row, y_gradient += y_gradient_row, x_gradient += x_gradient_row) {
    float mean, scale;
    FN(moments)(width, x, &mean, &scale);
    v16 s = {0}, q = {0};
    for (long j = 0; j < width; j += 16) {
      const long n = width - j;
      v16 g = FN(load)(y_gradient + j, n) * FN(load)(gain + j, n);
      s += g;
      q = FN(fma)(g, (FN(load)(x + j, n) - mean) * scale, q);
    }
    const float average = FN(sum)(s) / (float)width, slope = FN(sum)(q) / (float)width;
    for (long j = 0; j < width; j += 16) {
      const long n = width - j;
      v16 g = FN(load)(y_gradient + j, n) * FN(load)(gain + j, n) - average;
      v16 normal = (FN(load)(x + j, n) - mean) * scale;
      g = FN(fma)(normal, FN(splat)(-slope), g);
      FN(store)(x_gradient + j, FN(fma)(g, FN(splat)(scale), FN(load)(x_gradient + j, n)), n);
    }
  }
}

INLINE d16 FN(wide)(v16 v) { return __builtin_convertvector(v, d16); }

static void FN(layer_norm_gradients)(long rows, long width, const float *x, long x_row, const float *y_gradient,
                                     long y_gradient_row, float *gain_gradient, float *bias_gradient, double *scratch) {
  double *gains = scratch, *biases = scratch + width;
  for (long j = 0; j < 2 * width; j++) scratch[j] = 0;
  for (long i = 0; i < rows; i++, x += x_row, y_gradient += y_gradient_row) {
    float mean, scale;
    FN(moments)(width, x, &mean, &scale);
    long j = 0;
    for (; j + 16 <= width; j += 16) {
      v16 g = *(const v16 *)(y_gradient + j), normal = (*(const v16 *)(x + j) - mean) * scale;
      *(d16 *)(gains + j) += FN(wide)(g) * FN(wide)(normal);
      *(d16 *)(biases + j) += FN(wide)(g);
    }
    for (; j < width; j++) {
      gains[j] += (double)y_gradient[j] * (double)((x[j] - mean) * scale);
      biases[j] += (double)y_gradient[j];
    }
  }
  for (long j = 0; j < width; j++) gain_gradient[j] += (float)gains[j];
  for (long j = 0; j < width; j++) bias_gradient[j] += (float)biases[j];
}

static void FN(column_sums)(long rows, long columns, const float *y, long y_row, float *sums) {
  for (long j = 0; j < columns; j += 16) {
    const long n = columns - j;
    d16 s = {0};
    for (long i = 0; i < rows; i++) s += FN(wide)(FN(load)(y + i * y_row + j, n));
    for (long lane = 0; lane < 16 && lane < n; lane++) sums[j + lane] += (float)s[lane];
  }
}

// ---- GELU -----------------------------------------------------------------------------------------------------------

static void FN(gelu)(size_t count, const float *x, float *y) {
  for (size_t i = 0; i < count; i += 16) {
    const long n = (long)(count - i);
    FN(store)(y + i, FN(gelu_of)(FN(load)(x + i, n)), n);
  }
}

static void FN(gelu_backward)(size_t count, const float *x, float *gradient) {
  for (size_t i = 0; i < count; i += 16) {
    const long n = (long)(count - i);
    v16 v = FN(load)(x + i, n);
    v16 below = FN(fma)(FN(erf)(v), FN(splat)(0.5f), FN(splat)(0.5f));
    v16 density = FN(exp)(v * v * -0.5f) * 0.39894228040143268f;
    FN(store)(gradient + i, FN(load)(gradient + i, n) * FN(fma)(v, density, below), n);
  }
}

// ---- Attention ------------------------------------------------------------------------------------------------------

// Transposes 16 × 16 floats held in registers: swaps the off-diagonal blocks of side 8, then 4, 2 and 1.
INLINE void FN(transpose)(v16 x[16]) {
  UNROLL
  for (int i = 0; i < 16; i++) {
    if (i & 8) continue;
    const v16 a = x[i], b = x[i + 8];
    x[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    x[i + 8] = __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  UNROLL
  for (int i = 0; i < 16; i++) {
    if (i & 4) continue;
    const v16 a = x[i], b = x[i + 4];
    x[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    x[i + 4] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
  UNROLL
  for (int i = 0; i < 16; i++) {
    if (i & 2) continue;
    const v16 a = x[i], b = x[i + 2];
    x[i] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    x[i + 2] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
  UNROLL
  for (int i = 0; i < 16; i++) {
    if (i & 1) continue;
    const v16 a = x[i], b = x[i + 1];
    x[i] = __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    x[i + 1] = __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  }
}

// [tokens, width] rows to panels of 16 tokens, [⌈tokens/16⌉][width][16]: the transpose as a product's B.
INLINE void FN(pack_tokens)(long tokens, long width, const float *x, long x_row, float *panels) {
  for (long t = 0; t < tokens; t += 16, panels += 16 * width) {
    const long rows = tokens - t < 16 ? tokens - t : 16;
    for (long j = 0; j < width; j += 16) {
      v16 block[16];
      UNROLL
      for (int i = 0; i < 16; i++) {
        block[i] = i < rows ? FN(load)(x + (t + i) * x_row + j, width - j) : (v16){0};
      }
      FN(transpose)(block);
      const long columns = width - j < 16 ? width - j : 16;
      UNROLL
      for (int i = 0; i < 16; i++) {
        if (i < columns) *(v16 *)(panels + (j + i) * 16) = block[i];
      }
    }
  }
}

// Rows of scores to rows of probabilities softmax(scale·score); zero past `tokens`.
INLINE void FN(softmax)(long rows, long tokens, long stride, float scale, float *scores) {
  for (long i = 0; i < rows; i++, scores += stride) {
    v16 m = FN(splat)(-__builtin_inff());
    for (long j = 0; j < tokens; j += 16) {
      v16 s = FN(first)(*(v16 *)(scores + j), tokens - j, -__builtin_inff());
      m = FN(choose)(s > m, s, m);
    }
    const float top = FN(largest)(m);
    v16 total = {0};
    for (long j = 0; j < tokens; j += 16) {
      v16 e = FN(exp)((*(v16 *)(scores + j) - top) * scale);
      e = FN(first)(e, tokens - j, 0);
      *(v16 *)(scores + j) = e;
      total += e;
    }
    const float inverse = 1.0f / FN(sum)(total);
    for (long j = 0; j < tokens; j += 16) *(v16 *)(scores + j) *= inverse;
  }
}

// Probabilities [queries, stride] of head h; `panels` is scratch for the packed keys.
INLINE void FN(probabilities)(const rrcm_attention *p, long h, long stride, float *panels, float *scores) {
  const long w = p->head_width;
  FN(pack_tokens)(p->tokens, w, p->k + h * w, p->kv_row, panels);
  const rrcm_product s = {.rows = p->queries, .columns = stride, .depth = w, .a = p->q + h * w, .a_row = p->q_row,
                          .a_step = 1, .b = panels, .b_step = 16, .b_panel = 16 * w, .c = scores, .c_row = stride};
  FN(product)(&s);
  FN(softmax)(p->queries, p->tokens, stride, 1.0f / __builtin_sqrtf((float)w), scores);
}

static void FN(attention)(const rrcm_attention *p) {
  const long w = p->head_width, stride = (p->tokens + 15) / 16 * 16;
  float *panels = p->scratch, *scores = panels + stride * w;
  for (long h = 0; h < p->heads; h++) {
    FN(probabilities)(p, h, stride, panels, scores);
    const rrcm_product mix = {.rows = p->queries, .columns = w, .depth = p->tokens, .a = scores, .a_row = stride,
                              .a_step = 1, .b = p->v + h * w, .b_step = p->kv_row, .b_panel = 16,
                              .c = p->out + h * w, .c_row = p->out_row};
    FN(product)(&mix);
  }
}

static void FN(attention_backward)(const rrcm_attention_gradient *g) {
  const rrcm_attention *p = &g->forward;
  const long w = p->head_width, stride = (p->tokens + 15) / 16 * 16, queries = p->queries, tokens = p->tokens;
  float *panels = p->scratch, *scores = panels + stride * w, *slopes = scores + queries * stride;
  const float scale = 1.0f / __builtin_sqrtf((float)w);
  for (long h = 0; h < p->heads; h++) {
    FN(probabilities)(p, h, stride, panels, scores);
    const float *out = g->out_gradient + h * w;
    // dV = Pᵀ·dOut
    const rrcm_product dv = {.rows = tokens, .columns = w, .depth = queries, .a = scores, .a_row = 1, .a_step = stride,
                             .b = out, .b_step = g->out_gradient_row, .b_panel = 16,
                             .c = g->v_gradient + h * w, .c_row = p->kv_row};
    FN(product)(&dv);
    // dP = dOut·Vᵀ
    FN(pack_tokens)(tokens, w, p->v + h * w, p->kv_row, panels);
    const rrcm_product dp = {.rows = queries, .columns = stride, .depth = w, .a = out, .a_row = g->out_gradient_row,
                             .a_step = 1, .b = panels, .b_step = 16, .b_panel = 16 * w, .c = slopes, .c_row = stride};
    FN(product)(&dp);
    // dS = P∘(dP − Σ P∘dP)/√w
    for (long i = 0; i < queries; i++) {
      v16 s = {0};
      for (long j = 0; j < stride; j += 16) {
        s = FN(fma)(*(v16 *)(scores + i * stride + j), *(v16 *)(slopes + i * stride + j), s);
      }
      const float mean = FN(sum)(s);
      for (long j = 0; j < stride; j += 16) {
        v16 *slope = (v16 *)(slopes + i * stride + j);
        *slope = *(v16 *)(scores + i * stride + j) * (*slope - mean) * scale;
      }
    }
    const rrcm_product dq = {.rows = queries, .columns = w, .depth = tokens, .a = slopes, .a_row = stride, .a_step = 1,
                             .b = p->k + h * w, .b_step = p->kv_row, .b_panel = 16,
                             .c = g->q_gradient + h * w, .c_row = p->q_row};
    FN(product)(&dq);
    const rrcm_product dk = {.rows = tokens, .columns = w, .depth = queries, .a = slopes, .a_row = 1, .a_step = stride,
                             .b = p->q + h * w, .b_step = p->q_row, .b_panel = 16,
                             .c = g->k_gradient + h * w, .c_row = p->kv_row};
    FN(product)(&dk);
  }
}
