// bfloat16 products with float32 sums. Included after kernels_body.h by each instruction set's file; BF16_DOT is defined
// where the processor has the dot product of pairs.
//
// Bits: a sum takes the pairs of its terms in order and of each pair the second term first, every step one fused
// multiply-add, denormal numbers read and written as zero: what VDPBF16PS does, so every set gives the same bits. Change
// this and CPUKernels.version must change too.

typedef unsigned short h16 __attribute__((vector_size(32), aligned(2)));
typedef unsigned int u16x32 __attribute__((vector_size(64), aligned(4)));

// To the nearest bfloat16, ties to even. Finite values that round beyond the largest become infinite.
INLINE h16 FN(round_bf16)(v16 v) {
  const u16x32 bits = (u16x32)v;
  return __builtin_convertvector((bits + 0x7FFF + (bits >> 16 & 1)) >> 16, h16);
}

INLINE void FN(store_bf16)(uint16_t *p, v16 v, long n) {
  const h16 h = FN(round_bf16)(v);
  if (__builtin_expect(n >= 16, 1)) {
    *(h16 *)p = h;
  } else {
    __builtin_memcpy(p, &h, (size_t)n * sizeof(uint16_t));
  }
}

// sum + a[1]·b[1] + a[0]·b[0] in each lane; `pair` holds a, every lane of b one pair.
INLINE v16 FN(dot_pair)(v16 sum, i16 b, int pair) {
#ifdef BF16_DOT
  typedef __bf16 bf32 __attribute__((vector_size(64)));
  return (v16)__builtin_ia32_dpbf16ps_512(sum, (bf32)b, (bf32)(pair - (i16){0}));
#else
  const int high = (int)0xFFFF0000;
  sum = FN(fma)((v16)((pair & high) - (i16){0}), (v16)(b & high), sum);
  return FN(fma)((v16)((int)((unsigned)pair << 16) - (i16){0}), (v16)(b << 16), sum);
#endif
}

// GELU for rounding to bfloat16: within 2.2e-4 of its value where |x| < 0.3 (a rounding: 2e-3), within 6e-5 everywhere.
// erf(x/√2) as x·R(x²) with R of degree 8 fitted on |x| ≤ 4.2, ±1 beyond.
INLINE v16 FN(gelu_near)(v16 x) {
  static const float c[9] = {0.33571144938468933f,  -0.16299210488796234f,  0.11168466508388519f,
                             -0.07758641988039017f, 0.04954018071293831f,   -0.028236480429768562f,
                             0.017336487770080566f, -0.010974536649882793f, 0.003607172518968582f};
  v16 t = FN(fma)(x * x, FN(splat)((float)(2.0 / (4.2 * 4.2))), FN(splat)(-1.0f));
  v16 r = FN(splat)(c[8]);
  UNROLL
  for (int i = 7; i >= 0; i--) r = FN(fma)(r, t, FN(splat)(c[i]));
  v16 e = x * r;
  e = FN(choose)(x >= 4.2f, FN(splat)(1.0f), e);
  e = FN(choose)(x <= -4.2f, FN(splat)(-1.0f), e);
  v16 half = x * 0.5f;
  return FN(fma)(half, e, half);
}

INLINE void FN(tile_bf16)(const int rows, const int panels, const rrcm_product_bf16 *p, long row, long column) {
  const uint16_t *a = p->a + row * p->a_row, *b = p->b + column * p->depth;
  const long a_row = p->a_row, pairs = p->depth / 2, b_panel = 16 * p->depth;
  v16 acc[ROWS][PANELS];
  UNROLL
  for (int i = 0; i < rows; i++) {
    UNROLL
    for (int j = 0; j < panels; j++) acc[i][j] = (v16){0};
  }
  for (long k = 0; k < pairs; k++) {
    i16 bk[PANELS];
    UNROLL
    for (int j = 0; j < panels; j++) bk[j] = *(const i16 *)(b + j * b_panel + k * 32);
    UNROLL
    for (int i = 0; i < rows; i++) {
      int pair;
      __builtin_memcpy(&pair, a + i * a_row + 2 * k, sizeof pair);
      UNROLL
      for (int j = 0; j < panels; j++) acc[i][j] = FN(dot_pair)(acc[i][j], bk[j], pair);
    }
  }
  UNROLL
  for (int j = 0; j < panels; j++) {
    const long n = p->columns - column - j * 16;
    const v16 bias = p->bias ? FN(load)(p->bias + column + j * 16, n) : (v16){0};
    UNROLL
    for (int i = 0; i < rows; i++) {
      const long place = (row + i) * p->c_row + column + j * 16;
      v16 v = acc[i][j] + bias;
      if (p->rounded) {
        if (p->gelu) v = FN(gelu_near)(v);
        if (p->gain) v *= p->gain[row + i];
        FN(store_bf16)(p->rounded + place, v, n);
      } else {
        if (p->base) v += FN(load)(p->base + (row + i) * p->base_row + column + j * 16, n);
        FN(store)(p->c + place, v, n);
      }
    }
  }
}

// A function for each width of tile, whole tiles apart from the rest: so the compiler keeps every sum in its register.
#define TILES(PANEL_COUNT)                                                                                         \
  RARE void FN(whole_##PANEL_COUNT)(const rrcm_product_bf16 *p, long row, long column) {                           \
    FN(tile_bf16)(ROWS, PANEL_COUNT, p, row, column);                                                              \
  }                                                                                                                \
  RARE void FN(part_##PANEL_COUNT)(int rows, const rrcm_product_bf16 *p, long row, long column) {                  \
    switch (rows) {                                                                                                \
      case 1: FN(tile_bf16)(1, PANEL_COUNT, p, row, column); break;                                                \
      case 2: FN(tile_bf16)(2, PANEL_COUNT, p, row, column); break;                                                \
      case 3: FN(tile_bf16)(3, PANEL_COUNT, p, row, column); break;                                                \
      case 4: FN(tile_bf16)(4, PANEL_COUNT, p, row, column); break;                                                \
      default: FN(tile_bf16)(5, PANEL_COUNT, p, row, column); break;                                               \
    }                                                                                                              \
  }                                                                                                                \
  INLINE void FN(rows_##PANEL_COUNT)(const rrcm_product_bf16 *p, long top, long bottom, long column) {             \
    long row = top;                                                                                                \
    for (; row + ROWS <= bottom; row += ROWS) FN(whole_##PANEL_COUNT)(p, row, column);                             \
    if (row < bottom) FN(part_##PANEL_COUNT)((int)(bottom - row), p, row, column);                                 \
  }
TILES(1)
#if PANELS > 1
TILES(2)
TILES(3)
TILES(4)
#endif

// The product, with denormals as zero.
static void FN(flushed_product)(const rrcm_product_bf16 *p) {
  for (long top = 0; top < p->rows; top += ROW_BLOCK) {
    const long bottom = p->rows - top < ROW_BLOCK ? p->rows : top + ROW_BLOCK;
    for (long column = 0; column < p->columns;) {
#if PANELS > 1
      const long left = (p->columns - column + 15) / 16;
      // 5 panels are 3 and 2: one alone leaves the processor waiting for its sums.
      const int panels = left == 5 ? 3 : left < 4 ? (int)left : 4;
      switch (panels) {
        case 1: FN(rows_1)(p, top, bottom, column); break;
        case 2: FN(rows_2)(p, top, bottom, column); break;
        case 3: FN(rows_3)(p, top, bottom, column); break;
        default: FN(rows_4)(p, top, bottom, column); break;
      }
      column += 16 * panels;
#else
      FN(rows_1)(p, top, bottom, column);
      column += 16;
#endif
    }
  }
}

// Denormals are zero in what follows. Returns what `unflush` takes.
INLINE unsigned FN(flush)(void) {
#if defined(__x86_64__)
  const unsigned control = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(control | 0x8040);
  return control;
#else
  return 0;
#endif
}

INLINE void FN(unflush)(unsigned control) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(control);
#endif
}

static void FN(product_bf16)(const rrcm_product_bf16 *p) {
  const unsigned control = FN(flush)();
  FN(flushed_product)(p);
  FN(unflush)(control);
}

// [tokens, width] keys to panels of 16 tokens of pairs, [⌈tokens/16⌉][width/2][16][2]: a transpose of pairs.
INLINE void FN(pack_keys)(long tokens, long width, const uint16_t *x, long x_row, uint16_t *panels) {
  const long pairs = width / 2;
  for (long t = 0; t < tokens; t += 16, panels += 16 * width) {
    const long rows = tokens - t < 16 ? tokens - t : 16;
    for (long j = 0; j < pairs; j += 16) {
      v16 block[16];
      UNROLL
      for (int i = 0; i < 16; i++) {
        block[i] = i < rows ? FN(load)((const float *)(x + (t + i) * x_row + 2 * j), pairs - j) : (v16){0};
      }
      FN(transpose)(block);
      const long count = pairs - j < 16 ? pairs - j : 16;
      UNROLL
      for (int i = 0; i < 16; i++) {
        if (i < count) *(v16 *)(panels + (j + i) * 32) = block[i];
      }
    }
  }
}

INLINE h16 FN(load_half)(const uint16_t *p, long n) {
  h16 v = {0};
  if (__builtin_expect(n >= 16, 1)) return *(const h16 *)p;
  __builtin_memcpy(&v, p, (size_t)n * sizeof(uint16_t));
  return v;
}

// [tokens, width] values to panels of 16 columns of pairs of tokens, [⌈width/16⌉][⌈tokens/2⌉][16][2].
INLINE void FN(pack_values)(long tokens, long width, const uint16_t *x, long x_row, uint16_t *panels) {
  for (long j = 0; j < width; j += 16) {
    for (long t = 0; t < tokens; t += 2, panels += 32) {
      const u16x32 first = __builtin_convertvector(FN(load_half)(x + t * x_row + j, width - j), u16x32);
      u16x32 second = {0};
      if (t + 1 < tokens) second = __builtin_convertvector(FN(load_half)(x + (t + 1) * x_row + j, width - j), u16x32);
      *(u16x32 *)panels = first | second << 16;
    }
  }
}

// Rows of scores to rows of e^(scale·(score − largest)) rounded to bfloat16, zero past `tokens`, and one over their sums.
INLINE void FN(weights_bf16)(long rows, long tokens, long stride, float scale, const float *scores, uint16_t *weights,
                             float *inverse) {
  for (long i = 0; i < rows; i++, scores += stride, weights += stride) {
    v16 m = FN(splat)(-__builtin_inff());
    for (long j = 0; j < tokens; j += 16) {
      v16 s = FN(first)(*(const v16 *)(scores + j), tokens - j, -__builtin_inff());
      m = FN(choose)(s > m, s, m);
    }
    const float top = FN(largest)(m);
    v16 total = {0};
    for (long j = 0; j < tokens; j += 16) {
      v16 e = FN(exp)((*(const v16 *)(scores + j) - top) * scale);
      const h16 h = FN(round_bf16)(FN(first)(e, tokens - j, 0));
      *(h16 *)(weights + j) = h;
      total += (v16)(__builtin_convertvector(h, u16x32) << 16);
    }
    inverse[i] = 1.0f / FN(sum)(total);
  }
}

static void FN(attention_bf16)(const rrcm_attention_bf16 *p) {
  const unsigned control = FN(flush)();
  const long w = p->head_width, stride = (p->tokens + 15) / 16 * 16, even = (p->tokens + 1) / 2 * 2;
  float *scores = p->scratch, *inverse = scores + p->queries * stride;
  uint16_t *weights = (uint16_t *)(inverse + p->queries), *panels = weights + p->queries * stride;
  for (long h = 0; h < p->heads; h++) {
    FN(pack_keys)(p->tokens, w, p->k + h * w, p->kv_row, panels);
    const rrcm_product_bf16 score = {.rows = p->queries, .columns = stride, .depth = w, .a = p->q + h * w,
                                     .a_row = p->q_row, .b = panels, .c = scores, .c_row = stride};
    FN(flushed_product)(&score);
    FN(weights_bf16)(p->queries, p->tokens, stride, 1.0f / __builtin_sqrtf((float)w), scores, weights, inverse);
    FN(pack_values)(p->tokens, w, p->v + h * w, p->kv_row, panels);
    const rrcm_product_bf16 mix = {.rows = p->queries, .columns = w, .depth = even, .a = weights, .a_row = stride,
                                   .b = panels, .rounded = p->out + h * w, .c_row = p->out_row, .gain = inverse};
    FN(flushed_product)(&mix);
  }
  FN(unflush)(control);
}

static void FN(layer_norm_bf16)(long rows, long width, const float *x, long x_row, const float *gain, const float *bias,
                                uint16_t *y, long y_row) {
  for (long i = 0; i < rows; i++, x += x_row, y += y_row) {
    float mean, scale;
    FN(moments)(width, x, &mean, &scale);
    for (long j = 0; j < width; j += 16) {
      const long n = width - j;
      v16 normal = (FN(load)(x + j, n) - mean) * scale;
      FN(store_bf16)(y + j, FN(fma)(normal, FN(load)(gain + j, n), FN(load)(bias + j, n)), n);
    }
  }
}
