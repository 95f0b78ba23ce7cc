// What we call of NVIDIA's driver, NVRTC and cuBLASLt, declared here so that no header of theirs is needed to build and
// no library of theirs to start: `rrcm_cuda_open` finds them at run time. Names, argument orders and constants are those of
// their public interfaces (driver API 11 and up, NVRTC 11.2 and up, cuBLASLt 11 and up).
#ifndef RRCM_CUDA_H
#define RRCM_CUDA_H

#include <stddef.h>
#include <stdint.h>

typedef int32_t rrcm_cu_device;
typedef uint64_t rrcm_cu_pointer;  ///< device memory
typedef struct rrcm_cu_context_s *rrcm_cu_context;
typedef struct rrcm_cu_module_s *rrcm_cu_module;
typedef struct rrcm_cu_function_s *rrcm_cu_function;
typedef struct rrcm_cu_stream_s *rrcm_cu_stream;
typedef struct rrcm_cu_graph_s *rrcm_cu_graph;
typedef struct rrcm_cu_graph_exec_s *rrcm_cu_graph_exec;

typedef struct {
  unsigned char bytes[16];
} rrcm_cu_uuid;

enum {
  RRCM_CU_OUT_OF_MEMORY = 2,
  RRCM_CU_ATTRIBUTE_MULTIPROCESSORS = 16,
  RRCM_CU_ATTRIBUTE_CAPABILITY_MAJOR = 75,
  RRCM_CU_ATTRIBUTE_CAPABILITY_MINOR = 76,
  RRCM_CU_ATTRIBUTE_SHARED_BYTES_OPT_IN = 97,
  RRCM_CU_FUNCTION_DYNAMIC_SHARED_BYTES = 8,
  /// Waits for copies and fills that the host asked for before, and they for it.
  RRCM_CU_STREAM_DEFAULT = 0,
  RRCM_CU_CAPTURE_THREAD_LOCAL = 1,
};

/// libcuda.so.1. Every function returns 0 or an error number.
typedef struct {
  int (*init)(unsigned flags);
  int (*driver_version)(int *version);
  int (*error_name)(int error, const char **name);
  int (*device_count)(int *count);
  int (*device)(rrcm_cu_device *device, int ordinal);
  int (*device_name)(char *name, int length, rrcm_cu_device device);
  int (*device_uuid)(rrcm_cu_uuid *uuid, rrcm_cu_device device);
  int (*device_attribute)(int *value, int attribute, rrcm_cu_device device);
  int (*device_memory)(size_t *bytes, rrcm_cu_device device);
  int (*context_retain)(rrcm_cu_context *context, rrcm_cu_device device);
  int (*context_release)(rrcm_cu_device device);
  int (*context_current)(rrcm_cu_context context);
  int (*memory_info)(size_t *free, size_t *total);
  int (*allocate)(rrcm_cu_pointer *pointer, size_t bytes);
  int (*release)(rrcm_cu_pointer pointer);
  int (*to_device)(rrcm_cu_pointer to, const void *from, size_t bytes);
  int (*to_host)(void *to, rrcm_cu_pointer from, size_t bytes);
  int (*fill)(rrcm_cu_pointer to, unsigned value, size_t words);
  int (*load_module)(rrcm_cu_module *module, const void *image);
  int (*unload_module)(rrcm_cu_module module);
  int (*function)(rrcm_cu_function *function, rrcm_cu_module module, const char *name);
  int (*set_function_attribute)(rrcm_cu_function function, int attribute, int value);
  int (*launch)(rrcm_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                unsigned block_y, unsigned block_z, unsigned shared_bytes, rrcm_cu_stream stream, void **parameters,
                void **extra);
  int (*create_stream)(rrcm_cu_stream *stream, unsigned flags);
  int (*destroy_stream)(rrcm_cu_stream stream);
  int (*synchronize)(rrcm_cu_stream stream);
  int (*begin_capture)(rrcm_cu_stream stream, int mode);
  int (*end_capture)(rrcm_cu_stream stream, rrcm_cu_graph *graph);
  int (*instantiate)(rrcm_cu_graph_exec *exec, rrcm_cu_graph graph, unsigned long long flags);
  int (*launch_graph)(rrcm_cu_graph_exec exec, rrcm_cu_stream stream);
  int (*destroy_graph_exec)(rrcm_cu_graph_exec exec);
  int (*destroy_graph)(rrcm_cu_graph graph);
} rrcm_cu_driver;

typedef struct rrcm_nvrtc_program_s *rrcm_nvrtc_program;

/// libnvrtc.so: CUDA C++ source to a device's machine code.
typedef struct {
  int (*version)(int *major, int *minor);
  const char *(*error_text)(int error);
  int (*create)(rrcm_nvrtc_program *program, const char *source, const char *name, int headers,
                const char *const *header_sources, const char *const *header_names);
  int (*compile)(rrcm_nvrtc_program program, int options, const char *const *option);
  int (*log_size)(rrcm_nvrtc_program program, size_t *size);
  int (*log)(rrcm_nvrtc_program program, char *log);
  int (*code_size)(rrcm_nvrtc_program program, size_t *size);
  int (*code)(rrcm_nvrtc_program program, char *code);
  int (*destroy)(rrcm_nvrtc_program *program);
} rrcm_nvrtc;

typedef struct rrcm_lt_handle_s *rrcm_lt_handle;
typedef struct rrcm_lt_operation_s *rrcm_lt_operation;
typedef struct rrcm_lt_layout_s *rrcm_lt_layout;
typedef struct rrcm_lt_preference_s *rrcm_lt_preference;

typedef struct {
  uint64_t data[8];
} rrcm_lt_algorithm;

typedef struct {
  rrcm_lt_algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} rrcm_lt_choice;

enum {
  RRCM_LT_FLOAT32 = 0,
  RRCM_LT_BFLOAT16 = 14,
  RRCM_LT_COMPUTE_FLOAT32 = 68,
  RRCM_LT_COMPUTE_TF32 = 77,
  RRCM_LT_OPERATION_TRANSPOSE_A = 3,
  RRCM_LT_OPERATION_TRANSPOSE_B = 4,
  RRCM_LT_OPERATION_EPILOGUE = 7,
  RRCM_LT_OPERATION_BIAS = 8,
  RRCM_LT_EPILOGUE_BIAS = 4,
  RRCM_LT_PREFERENCE_WORKSPACE = 1,
  RRCM_LT_PREFERENCE_REDUCTIONS = 3,
  /// Parts of a split sum go to the workspace and are added in order.
  RRCM_LT_REDUCTION_IN_ORDER = 2,
  RRCM_LT_ALGORITHM_ID = 0,
  RRCM_LT_ALGORITHM_TILE = 1,
  RRCM_LT_ALGORITHM_SPLIT_K = 2,
  RRCM_LT_ALGORITHM_REDUCTION = 3,
  RRCM_LT_ALGORITHM_SWIZZLE = 4,
  RRCM_LT_ALGORITHM_CUSTOM = 5,
  RRCM_LT_ALGORITHM_STAGES = 6,
  RRCM_LT_ALGORITHM_INNER_SHAPE = 7,    // 16 bits
  RRCM_LT_ALGORITHM_CLUSTER_SHAPE = 8,  // 16 bits
};

/// libcublasLt.so: matrix products.
typedef struct {
  size_t (*version)(void);
  int (*create)(rrcm_lt_handle *handle);
  int (*destroy)(rrcm_lt_handle handle);
  int (*create_operation)(rrcm_lt_operation *operation, int compute, int scale_type);
  int (*destroy_operation)(rrcm_lt_operation operation);
  int (*set_operation)(rrcm_lt_operation operation, int attribute, const void *value, size_t bytes);
  int (*create_layout)(rrcm_lt_layout *layout, int type, uint64_t rows, uint64_t columns, int64_t leading);
  int (*destroy_layout)(rrcm_lt_layout layout);
  int (*create_preference)(rrcm_lt_preference *preference);
  int (*destroy_preference)(rrcm_lt_preference preference);
  int (*set_preference)(rrcm_lt_preference preference, int attribute, const void *value, size_t bytes);
  int (*choose)(rrcm_lt_handle handle, rrcm_lt_operation operation, rrcm_lt_layout a, rrcm_lt_layout b, rrcm_lt_layout c,
                rrcm_lt_layout d, rrcm_lt_preference preference, int wanted, rrcm_lt_choice *choices, int *found);
  int (*describe)(const rrcm_lt_algorithm *algorithm, int attribute, void *value, size_t bytes, size_t *written);
  int (*multiply)(rrcm_lt_handle handle, rrcm_lt_operation operation, const void *alpha, rrcm_cu_pointer a,
                  rrcm_lt_layout a_layout, rrcm_cu_pointer b, rrcm_lt_layout b_layout, const void *beta,
                  rrcm_cu_pointer c, rrcm_lt_layout c_layout, rrcm_cu_pointer d, rrcm_lt_layout d_layout,
                  const rrcm_lt_algorithm *algorithm, rrcm_cu_pointer workspace, size_t workspace_bytes,
                  rrcm_cu_stream stream);
} rrcm_lt;

/// Fills a table from a library. Returns NULL, or what is wrong: the loader's message, or the first function that is
/// missing. The text lives until this thread's next call. The library stays open for the life of the process.
const char *rrcm_cu_driver_open(const char *path, rrcm_cu_driver *driver);
const char *rrcm_nvrtc_open(const char *path, rrcm_nvrtc *nvrtc);
const char *rrcm_lt_open(const char *path, rrcm_lt *lt);

/// Our kernels' source, NUL-terminated: the headers `common.cuh` and `attention.cuh`, and `noise.cu`, `network.cu`,
/// `attention.cu`, `training.cu` or `attention_backward.cu`; NULL for other names.
const char *rrcm_cuda_source(const char *name);

#endif
