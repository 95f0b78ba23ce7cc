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
      if (p->active) {
        FN(store_bf16)(p->active + place, FN(gelu_of)(v), n);
      } else {
        if (p->base) v += FN(load)(p->base + (row + i) * p->base_row + column + j * 16, n);
        FN(store)(p->c + place, v, n);
      }
    }
  }
}

// Whole tiles apart from the rest: in a function of its own the compiler keeps every sum in its register.
RARE void FN(whole_tile_bf16)(const rrcm_product_bf16 *p, long row, long column) {
  FN(tile_bf16)(ROWS, PANELS, p, row, column);
}

RARE void FN(few_rows_bf16)(int rows, const rrcm_product_bf16 *p, long row, long column) {
  switch (rows) {
    case 1: FN(tile_bf16)(1, PANELS, p, row, column); break;
    case 2: FN(tile_bf16)(2, PANELS, p, row, column); break;
    case 3: FN(tile_bf16)(3, PANELS, p, row, column); break;
    case 4: FN(tile_bf16)(4, PANELS, p, row, column); break;
    default: FN(tile_bf16)(5, PANELS, p, row, column); break;
  }
}

RARE void FN(one_panel_bf16)(int rows, const rrcm_product_bf16 *p, long row, long column) {
  switch (rows) {
    case 1: FN(tile_bf16)(1, 1, p, row, column); break;
    case 2: FN(tile_bf16)(2, 1, p, row, column); break;
    case 3: FN(tile_bf16)(3, 1, p, row, column); break;
    case 4: FN(tile_bf16)(4, 1, p, row, column); break;
    case 5: FN(tile_bf16)(5, 1, p, row, column); break;
    default: FN(tile_bf16)(6, 1, p, row, column); break;
  }
}

static void FN(product_bf16)(const rrcm_product_bf16 *p) {
#if defined(__x86_64__)
  const unsigned control = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(control | 0x8040);  // denormals are zero, flush to zero
#endif
  for (long top = 0; top < p->rows; top += ROW_BLOCK) {
    const long bottom = p->rows - top < ROW_BLOCK ? p->rows : top + ROW_BLOCK;
    for (long column = 0; column < p->columns; column += 16 * PANELS) {
      const long left = (p->columns - column + 15) / 16;
      for (long row = top; row < bottom; row += ROWS) {
        const int rows = bottom - row < ROWS ? (int)(bottom - row) : ROWS;
        if (left < PANELS) {
          for (long j = 0; j < left; j++) FN(one_panel_bf16)(rows, p, row, column + 16 * j);
        } else if (rows < ROWS) {
          FN(few_rows_bf16)(rows, p, row, column);
        } else {
          FN(whole_tile_bf16)(p, row, column);
        }
      }
    }
  }
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(control);
#endif
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

static void FN(to_bf16)(size_t count, const float *x, uint16_t *y) {
  for (size_t i = 0; i < count; i += 16) {
    const long n = (long)(count - i);
    FN(store_bf16)(y + i, FN(load)(x + i, n), n);
  }
}
