// The emulated GPU as a shared library: under the names that NVIDIA's have, for programs that open those. A folder in
// RRCM_CUDA_PATH with links to it named libcuda.so.1, libnvrtc.so.13 and libcublasLt.so.13 is all it takes.
#include "rrcm_emulator.h"

namespace {
const rrcm_cu_driver driver = rrcm_emulated_driver();
const rrcm_nvrtc nvrtc = rrcm_emulated_nvrtc();
const rrcm_lt lt = rrcm_emulated_lt();
}  // namespace

extern "C" {
int cuInit(unsigned a) { return driver.init(a); }
int cuDriverGetVersion(int *a) { return driver.driver_version(a); }
int cuGetErrorName(int a, const char **b) { return driver.error_name(a, b); }
int cuDeviceGetCount(int *a) { return driver.device_count(a); }
int cuDeviceGet(rrcm_cu_device *a, int b) { return driver.device(a, b); }
int cuDeviceGetName(char *a, int b, rrcm_cu_device c) { return driver.device_name(a, b, c); }
int cuDeviceGetUuid(rrcm_cu_uuid *a, rrcm_cu_device b) { return driver.device_uuid(a, b); }
int cuDeviceGetAttribute(int *a, int b, rrcm_cu_device c) { return driver.device_attribute(a, b, c); }
int cuDeviceTotalMem_v2(size_t *a, rrcm_cu_device b) { return driver.device_memory(a, b); }
int cuDevicePrimaryCtxRetain(rrcm_cu_context *a, rrcm_cu_device b) { return driver.context_retain(a, b); }
int cuDevicePrimaryCtxRelease_v2(rrcm_cu_device a) { return driver.context_release(a); }
int cuCtxSetCurrent(rrcm_cu_context a) { return driver.context_current(a); }
int cuMemGetInfo_v2(size_t *a, size_t *b) { return driver.memory_info(a, b); }
int cuMemAlloc_v2(rrcm_cu_pointer *a, size_t b) { return driver.allocate(a, b); }
int cuMemFree_v2(rrcm_cu_pointer a) { return driver.release(a); }
int cuMemcpyHtoD_v2(rrcm_cu_pointer a, const void *b, size_t c) { return driver.to_device(a, b, c); }
int cuMemcpyDtoH_v2(void *a, rrcm_cu_pointer b, size_t c) { return driver.to_host(a, b, c); }
int cuMemsetD32_v2(rrcm_cu_pointer a, unsigned b, size_t c) { return driver.fill(a, b, c); }
int cuModuleLoadData(rrcm_cu_module *a, const void *b) { return driver.load_module(a, b); }
int cuModuleUnload(rrcm_cu_module a) { return driver.unload_module(a); }
int cuModuleGetFunction(rrcm_cu_function *a, rrcm_cu_module b, const char *c) { return driver.function(a, b, c); }
int cuFuncSetAttribute(rrcm_cu_function a, int b, int c) { return driver.set_function_attribute(a, b, c); }
int cuLaunchKernel(rrcm_cu_function a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned g, unsigned
    h, rrcm_cu_stream i, void **j, void **k) { return driver.launch(a, b, c, d, e, f, g, h, i, j, k); }
int cuStreamCreate(rrcm_cu_stream *a, unsigned b) { return driver.create_stream(a, b); }
int cuStreamDestroy_v2(rrcm_cu_stream a) { return driver.destroy_stream(a); }
int cuStreamSynchronize(rrcm_cu_stream a) { return driver.synchronize(a); }
int cuStreamBeginCapture_v2(rrcm_cu_stream a, int b) { return driver.begin_capture(a, b); }
int cuStreamEndCapture(rrcm_cu_stream a, rrcm_cu_graph *b) { return driver.end_capture(a, b); }
int cuGraphInstantiateWithFlags(rrcm_cu_graph_exec *a, rrcm_cu_graph b, unsigned long long c) { return
    driver.instantiate(a, b, c); }
int cuGraphLaunch(rrcm_cu_graph_exec a, rrcm_cu_stream b) { return driver.launch_graph(a, b); }
int cuGraphExecDestroy(rrcm_cu_graph_exec a) { return driver.destroy_graph_exec(a); }
int cuGraphDestroy(rrcm_cu_graph a) { return driver.destroy_graph(a); }

int nvrtcVersion(int *a, int *b) { return nvrtc.version(a, b); }
const char *nvrtcGetErrorString(int a) { return nvrtc.error_text(a); }
int nvrtcCreateProgram(rrcm_nvrtc_program *a, const char *b, const char *c, int d, const char *const *e, const char
    *const *f) { return nvrtc.create(a, b, c, d, e, f); }
int nvrtcCompileProgram(rrcm_nvrtc_program a, int b, const char *const *c) { return nvrtc.compile(a, b, c); }
int nvrtcGetProgramLogSize(rrcm_nvrtc_program a, size_t *b) { return nvrtc.log_size(a, b); }
int nvrtcGetProgramLog(rrcm_nvrtc_program a, char *b) { return nvrtc.log(a, b); }
int nvrtcGetCUBINSize(rrcm_nvrtc_program a, size_t *b) { return nvrtc.code_size(a, b); }
int nvrtcGetCUBIN(rrcm_nvrtc_program a, char *b) { return nvrtc.code(a, b); }
int nvrtcDestroyProgram(rrcm_nvrtc_program *a) { return nvrtc.destroy(a); }

size_t cublasLtGetVersion() { return lt.version(); }
int cublasLtCreate(rrcm_lt_handle *a) { return lt.create(a); }
int cublasLtDestroy(rrcm_lt_handle a) { return lt.destroy(a); }
int cublasLtMatmulDescCreate(rrcm_lt_operation *a, int b, int c) { return lt.create_operation(a, b, c); }
int cublasLtMatmulDescDestroy(rrcm_lt_operation a) { return lt.destroy_operation(a); }
int cublasLtMatmulDescSetAttribute(rrcm_lt_operation a, int b, const void *c, size_t d) { return lt.set_operation(a, b,
    c, d); }
int cublasLtMatrixLayoutCreate(rrcm_lt_layout *a, int b, uint64_t c, uint64_t d, int64_t e) { return lt.create_layout(a,
    b, c, d, e); }
int cublasLtMatrixLayoutDestroy(rrcm_lt_layout a) { return lt.destroy_layout(a); }
int cublasLtMatmulPreferenceCreate(rrcm_lt_preference *a) { return lt.create_preference(a); }
int cublasLtMatmulPreferenceDestroy(rrcm_lt_preference a) { return lt.destroy_preference(a); }
int cublasLtMatmulPreferenceSetAttribute(rrcm_lt_preference a, int b, const void *c, size_t d) { return
    lt.set_preference(a, b, c, d); }
int cublasLtMatmulAlgoGetHeuristic(rrcm_lt_handle a, rrcm_lt_operation b, rrcm_lt_layout c, rrcm_lt_layout d,
    rrcm_lt_layout e, rrcm_lt_layout f, rrcm_lt_preference g, int h, rrcm_lt_choice *i, int *j) { return lt.choose(a, b,
    c, d, e, f, g, h, i, j); }
int cublasLtMatmulAlgoConfigGetAttribute(const rrcm_lt_algorithm *a, int b, void *c, size_t d, size_t *e) { return
    lt.describe(a, b, c, d, e); }
int cublasLtMatmul(rrcm_lt_handle a, rrcm_lt_operation b, const void *c, rrcm_cu_pointer d, rrcm_lt_layout e,
    rrcm_cu_pointer f, rrcm_lt_layout g, const void *h, rrcm_cu_pointer i, rrcm_lt_layout j, rrcm_cu_pointer k,
    rrcm_lt_layout l, const rrcm_lt_algorithm *m, rrcm_cu_pointer n, size_t o, rrcm_cu_stream p) { return lt.multiply(a,
    b, c, d, e, f, g, h, i, j, k, l, m, n, o, p); }
}
