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
static const char attention[] = {
#embed "kernels/attention.cu" suffix(, 0)
};

const char *rrcm_cuda_source(const char *name) {
  if (strcmp(name, "common.cuh") == 0) return common;
  if (strcmp(name, "noise.cu") == 0) return noise;
  if (strcmp(name, "network.cu") == 0) return network;
  if (strcmp(name, "attention.cu") == 0) return attention;
  return NULL;
}
