#include <string.h>

#include "rrcm_cuda.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const char common[] = {
#embed "kernels/common.cuh" suffix(, 0)
};
static const char noise[] = {
#embed "kernels/noise.cu" suffix(, 0)
};
static const char network[] = {
#embed "kernels/network.cu" suffix(, 0)
};
static const char attention_header[] = {
#embed "kernels/attention.cuh" suffix(, 0)
};
static const char attention[] = {
#embed "kernels/attention.cu" suffix(, 0)
};
static const char attention_backward[] = {
#embed "kernels/attention_backward.cu" suffix(, 0)
};
static const char training[] = {
#embed "kernels/training.cu" suffix(, 0)
};

const char *rrcm_cuda_source(const char *name) {
  if (strcmp(name, "common.cuh") == 0) return common;
  if (strcmp(name, "noise.cu") == 0) return noise;
  if (strcmp(name, "network.cu") == 0) return network;
  if (strcmp(name, "attention.cuh") == 0) return attention_header;
  if (strcmp(name, "attention.cu") == 0) return attention;
  if (strcmp(name, "attention_backward.cu") == 0) return attention_backward;
  if (strcmp(name, "training.cu") == 0) return training;
  return NULL;
}
