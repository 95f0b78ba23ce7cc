#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "rrcm_cuda.h"

typedef struct {
  size_t offset;
  const char *symbol;
} place;

static const place driver_places[] = {
    {offsetof(rrcm_cu_driver, init), "cuInit"},
    {offsetof(rrcm_cu_driver, driver_version), "cuDriverGetVersion"},
    {offsetof(rrcm_cu_driver, error_name), "cuGetErrorName"},
    {offsetof(rrcm_cu_driver, device_count), "cuDeviceGetCount"},
    {offsetof(rrcm_cu_driver, device), "cuDeviceGet"},
    {offsetof(rrcm_cu_driver, device_name), "cuDeviceGetName"},
    {offsetof(rrcm_cu_driver, device_uuid), "cuDeviceGetUuid"},
    {offsetof(rrcm_cu_driver, device_attribute), "cuDeviceGetAttribute"},
    {offsetof(rrcm_cu_driver, device_memory), "cuDeviceTotalMem_v2"},
    {offsetof(rrcm_cu_driver, context_retain), "cuDevicePrimaryCtxRetain"},
    {offsetof(rrcm_cu_driver, context_release), "cuDevicePrimaryCtxRelease_v2"},
    {offsetof(rrcm_cu_driver, context_current), "cuCtxSetCurrent"},
    {offsetof(rrcm_cu_driver, memory_info), "cuMemGetInfo_v2"},
    {offsetof(rrcm_cu_driver, allocate), "cuMemAlloc_v2"},
    {offsetof(rrcm_cu_driver, release), "cuMemFree_v2"},
    {offsetof(rrcm_cu_driver, to_device), "cuMemcpyHtoD_v2"},
    {offsetof(rrcm_cu_driver, to_host), "cuMemcpyDtoH_v2"},
    {offsetof(rrcm_cu_driver, fill), "cuMemsetD32_v2"},
    {offsetof(rrcm_cu_driver, load_module), "cuModuleLoadData"},
    {offsetof(rrcm_cu_driver, unload_module), "cuModuleUnload"},
    {offsetof(rrcm_cu_driver, function), "cuModuleGetFunction"},
    {offsetof(rrcm_cu_driver, set_function_attribute), "cuFuncSetAttribute"},
    {offsetof(rrcm_cu_driver, launch), "cuLaunchKernel"},
    {offsetof(rrcm_cu_driver, create_stream), "cuStreamCreate"},
    {offsetof(rrcm_cu_driver, destroy_stream), "cuStreamDestroy_v2"},
    {offsetof(rrcm_cu_driver, synchronize), "cuStreamSynchronize"},
    {offsetof(rrcm_cu_driver, begin_capture), "cuStreamBeginCapture_v2"},
    {offsetof(rrcm_cu_driver, end_capture), "cuStreamEndCapture"},
    {offsetof(rrcm_cu_driver, instantiate), "cuGraphInstantiateWithFlags"},
    {offsetof(rrcm_cu_driver, launch_graph), "cuGraphLaunch"},
    {offsetof(rrcm_cu_driver, destroy_graph_exec), "cuGraphExecDestroy"},
    {offsetof(rrcm_cu_driver, destroy_graph), "cuGraphDestroy"},
};

static const place nvrtc_places[] = {
    {offsetof(rrcm_nvrtc, version), "nvrtcVersion"},
    {offsetof(rrcm_nvrtc, error_text), "nvrtcGetErrorString"},
    {offsetof(rrcm_nvrtc, create), "nvrtcCreateProgram"},
    {offsetof(rrcm_nvrtc, compile), "nvrtcCompileProgram"},
    {offsetof(rrcm_nvrtc, log_size), "nvrtcGetProgramLogSize"},
    {offsetof(rrcm_nvrtc, log), "nvrtcGetProgramLog"},
    {offsetof(rrcm_nvrtc, code_size), "nvrtcGetCUBINSize"},
    {offsetof(rrcm_nvrtc, code), "nvrtcGetCUBIN"},
    {offsetof(rrcm_nvrtc, destroy), "nvrtcDestroyProgram"},
};

static const place lt_places[] = {
    {offsetof(rrcm_lt, version), "cublasLtGetVersion"},
    {offsetof(rrcm_lt, create), "cublasLtCreate"},
    {offsetof(rrcm_lt, destroy), "cublasLtDestroy"},
    {offsetof(rrcm_lt, create_operation), "cublasLtMatmulDescCreate"},
    {offsetof(rrcm_lt, destroy_operation), "cublasLtMatmulDescDestroy"},
    {offsetof(rrcm_lt, set_operation), "cublasLtMatmulDescSetAttribute"},
    {offsetof(rrcm_lt, create_layout), "cublasLtMatrixLayoutCreate"},
    {offsetof(rrcm_lt, destroy_layout), "cublasLtMatrixLayoutDestroy"},
    {offsetof(rrcm_lt, create_preference), "cublasLtMatmulPreferenceCreate"},
    {offsetof(rrcm_lt, destroy_preference), "cublasLtMatmulPreferenceDestroy"},
    {offsetof(rrcm_lt, set_preference), "cublasLtMatmulPreferenceSetAttribute"},
    {offsetof(rrcm_lt, choose), "cublasLtMatmulAlgoGetHeuristic"},
    {offsetof(rrcm_lt, describe), "cublasLtMatmulAlgoConfigGetAttribute"},
    {offsetof(rrcm_lt, multiply), "cublasLtMatmul"},
};

static const char *fill(const char *path, void *table, const place *places, size_t count) {
  static _Thread_local char message[256];
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
  for (size_t i = 0; i < count; i++) {
    void *function = dlsym(library, places[i].symbol);
    if (!function) {
      snprintf(message, sizeof message, "%s has no %s: it is too old", path, places[i].symbol);
      return message;
    }
    memcpy((char *)table + places[i].offset, &function, sizeof function);
  }
  return NULL;
}

#define COUNT(places) (sizeof places / sizeof places[0])

const char *rrcm_cu_driver_open(const char *path, rrcm_cu_driver *driver) {
  return fill(path, driver, driver_places, COUNT(driver_places));
}

/// NVRTC opens its built-in headers by bare name, where the loader looks; beside it they are found if they are open already.
static void open_beside(const char *path, const char *pattern) {
  char beside[4096];
  const char *slash = strrchr(path, '/');
  if (!slash || snprintf(beside, sizeof beside, "%.*s/%s", (int)(slash - path), path, pattern) >= (int)sizeof beside) return;
  glob_t found;
  if (glob(beside, 0, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
  }
  globfree(&found);
}

const char *rrcm_nvrtc_open(const char *path, rrcm_nvrtc *nvrtc) {
  open_beside(path, "libnvrtc-builtins.so*");
  return fill(path, nvrtc, nvrtc_places, COUNT(nvrtc_places));
}

const char *rrcm_lt_open(const char *path, rrcm_lt *lt) { return fill(path, lt, lt_places, COUNT(lt_places)); }
