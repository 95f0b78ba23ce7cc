// The driver, the compiler and the matrix products that tests give to CUDALibraries.
#include <stdio.h>
#include <stdlib.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "block.h"
#include "rrcm_emulator.h"

namespace {

// One launch at a time: fibres and indices are the process's.
std::recursive_mutex lock;
size_t memory_limit = (size_t)8 << 30, memory_used;
std::map<rrcm_cu_pointer, size_t> allocations;
long kernels_run, products_run, programs_compiled;
struct Failure {
  int error, count;
};
std::map<std::string, Failure> failures;

/// The error to fail with, 0 for none.
int failing(const char *what) {
  const auto found = failures.find(what);
  if (found == failures.end() || found->second.count == 0) return 0;
  found->second.count--;
  return found->second.error;
}

struct Work {
  std::function<int()> run;
};

}  // namespace

struct rrcm_cu_context_s {};
struct rrcm_cu_module_s {
  const NamedEntry *entries;
};
struct rrcm_cu_function_s {
  std::string name;
  Entry entry;
  int shared_limit;
};
struct rrcm_cu_graph_s {
  std::vector<Work> work;
};
struct rrcm_cu_graph_exec_s {
  std::vector<Work> work;
};
struct rrcm_cu_stream_s {
  bool capturing = false;
  std::vector<Work> captured;
};

namespace {

rrcm_cu_context_s the_context;

/// Runs now, or when the graph that is being captured does.
int enqueue(rrcm_cu_stream stream, Work work) {
  if (stream->capturing) {
    stream->captured.push_back(work);
    return 0;
  }
  return work.run();
}

/// Whether all of a region lies in one allocation.
bool owned(rrcm_cu_pointer pointer, size_t bytes) {
  auto after = allocations.upper_bound(pointer);
  if (after == allocations.begin()) return false;
  --after;
  return pointer + bytes <= after->first + after->second;
}

constexpr int invalid_value = 1, not_found = 500, launch_failed = 719, illegal_address = 700;

}  // namespace

rrcm_cu_driver rrcm_emulated_driver(void) {
  rrcm_cu_driver d = {};
  d.init = [](unsigned) { return failing("init"); };
  d.driver_version = [](int *version) { return *version = 13000, 0; };
  d.error_name = [](int error, const char **name) {
    *name = error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : error == 100 ? "CUDA_ERROR_NO_DEVICE"
            : error == launch_failed ? "CUDA_ERROR_LAUNCH_FAILED" : error == illegal_address
            ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN";
    return 0;
  };
  d.device_count = [](int *count) { return *count = 2, 0; };
  d.device = [](rrcm_cu_device *device, int ordinal) { return *device = ordinal, 0; };
  d.device_name = [](char *name, int length, rrcm_cu_device device) {
    snprintf(name, (size_t)length, "Emulated GPU %d", device);
    return 0;
  };
  d.device_uuid = [](rrcm_cu_uuid *uuid, rrcm_cu_device device) {
    for (int i = 0; i < 16; i++) uuid->bytes[i] = (unsigned char)(16 * (device + 1) + i);
    return 0;
  };
  d.device_attribute = [](int *value, int attribute, rrcm_cu_device) {
    *value = attribute == RRCM_CU_ATTRIBUTE_CAPABILITY_MAJOR      ? 9
             : attribute == RRCM_CU_ATTRIBUTE_SHARED_BYTES_OPT_IN ? 232448
             : attribute == RRCM_CU_ATTRIBUTE_MULTIPROCESSORS     ? 132
                                                                  : 0;
    return 0;
  };
  d.device_memory = [](size_t *bytes, rrcm_cu_device) { return *bytes = memory_limit, 0; };
  d.context_retain = [](rrcm_cu_context *context, rrcm_cu_device) { return *context = &the_context, 0; };
  d.context_release = [](rrcm_cu_device) { return 0; };
  d.context_current = [](rrcm_cu_context) { return 0; };
  d.memory_info = [](size_t *free, size_t *total) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    *total = memory_limit;
    *free = memory_used < memory_limit ? memory_limit - memory_used : 0;
    return 0;
  };
  d.allocate = [](rrcm_cu_pointer *pointer, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (const int error = failing("allocate")) return error;
    if (memory_used + bytes > memory_limit) return (int)RRCM_CU_OUT_OF_MEMORY;
    void *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(memory, 0xCD, bytes);
    *pointer = (rrcm_cu_pointer)memory;
    allocations[*pointer] = bytes;
    memory_used += bytes;
    return 0;
  };
  d.release = [](rrcm_cu_pointer pointer) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const auto found = allocations.find(pointer);
    if (found == allocations.end()) return invalid_value;
    memory_used -= found->second;
    allocations.erase(found);
    free((void *)pointer);
    return 0;
  };
  d.to_device = [](rrcm_cu_pointer to, const void *from, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!owned(to, bytes)) return illegal_address;
    memcpy((void *)to, from, bytes);
    return 0;
  };
  d.to_host = [](void *to, rrcm_cu_pointer from, size_t bytes) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!owned(from, bytes)) return illegal_address;
    memcpy(to, (void *)from, bytes);
    return 0;
  };
  d.fill = [](rrcm_cu_pointer to, unsigned value, size_t words) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (!owned(to, words * 4)) return illegal_address;
    for (size_t i = 0; i < words; i++) ((uint32_t *)to)[i] = value;
    return 0;
  };
  d.load_module = [](rrcm_cu_module *module, const void *image) {
    const std::string name = (const char *)image;
    const bool half = name.find("RRCM_BF16") != std::string::npos;
    const NamedEntry *entries = nullptr;
    if (name.rfind("noise.cu", 0) == 0) entries = noise_entries;
    if (name.rfind("network.cu", 0) == 0) entries = half ? network_bf16_entries : network_float_entries;
    if (name.rfind("attention.cu", 0) == 0) entries = half ? attention_bf16_entries : attention_float_entries;
    if (name.rfind("training.cu", 0) == 0) entries = half ? training_bf16_entries : training_float_entries;
    if (name.rfind("attention_backward.cu", 0) == 0) {
      entries = half ? attention_backward_bf16_entries : attention_backward_float_entries;
    }
    if (!entries) return invalid_value;
    *module = new rrcm_cu_module_s{entries};
    return 0;
  };
  d.unload_module = [](rrcm_cu_module module) { return delete module, 0; };
  d.function = [](rrcm_cu_function *function, rrcm_cu_module module, const char *name) {
    for (const NamedEntry *e = module->entries; e->name; e++) {
      if (strcmp(e->name, name) != 0) continue;
      *function = new rrcm_cu_function_s{name, e->entry, 48 << 10};
      return 0;
    }
    return not_found;
  };
  d.set_function_attribute = [](rrcm_cu_function function, int attribute, int value) {
    if (attribute != RRCM_CU_FUNCTION_DYNAMIC_SHARED_BYTES) return invalid_value;
    function->shared_limit = value;
    return 0;
  };
  d.launch = [](rrcm_cu_function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                unsigned shared, rrcm_cu_stream stream, void **parameters, void **) {
    if (const int error = failing("launch")) return error;
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz > 1024 || (int)shared > function->shared_limit) {
      return invalid_value;
    }
    // Arguments are taken at the launch, not when it runs.
    std::vector<std::vector<unsigned char>> copies;
    for (int i = 0; i < 16; i++) {
      if (i > 0 && parameters[i] == nullptr) break;
      copies.emplace_back((unsigned char *)parameters[i], (unsigned char *)parameters[i] + 256);
    }
    return enqueue(stream, {[=]() mutable {
      std::lock_guard<std::recursive_mutex> guard(lock);
      std::vector<void *> pointers;
      for (auto &copy : copies) pointers.push_back(copy.data());
      kernels_run++;
      return run_kernel(function->entry, pointers.data(), {gx, gy, gz}, {bx, by, bz}, shared) ? 0 : launch_failed;
    }});
  };
  d.create_stream = [](rrcm_cu_stream *stream, unsigned) { return *stream = new rrcm_cu_stream_s, 0; };
  d.destroy_stream = [](rrcm_cu_stream stream) { return delete stream, 0; };
  d.synchronize = [](rrcm_cu_stream) { return 0; };
  d.begin_capture = [](rrcm_cu_stream stream, int) {
    stream->capturing = true;
    stream->captured.clear();
    return 0;
  };
  d.end_capture = [](rrcm_cu_stream stream, rrcm_cu_graph *graph) {
    stream->capturing = false;
    *graph = new rrcm_cu_graph_s{stream->captured};
    return 0;
  };
  d.instantiate = [](rrcm_cu_graph_exec *exec, rrcm_cu_graph graph, unsigned long long) {
    *exec = new rrcm_cu_graph_exec_s{graph->work};
    return 0;
  };
  d.launch_graph = [](rrcm_cu_graph_exec exec, rrcm_cu_stream) {
    for (Work &work : exec->work) {
      if (const int error = work.run()) return error;
    }
    return 0;
  };
  d.destroy_graph_exec = [](rrcm_cu_graph_exec exec) { return delete exec, 0; };
  d.destroy_graph = [](rrcm_cu_graph graph) { return delete graph, 0; };
  return d;
}

struct rrcm_nvrtc_program_s {
  std::string name;
};

rrcm_nvrtc rrcm_emulated_nvrtc(void) {
  rrcm_nvrtc n = {};
  n.version = [](int *major, int *minor) { return *major = 13, *minor = 0, 0; };
  n.error_text = [](int) { return "emulated error"; };
  n.create = [](rrcm_nvrtc_program *program, const char *, const char *name, int, const char *const *,
                const char *const *) { return *program = new rrcm_nvrtc_program_s{name}, 0; };
  n.compile = [](rrcm_nvrtc_program program, int options, const char *const *option) {
    programs_compiled++;
    for (int i = 0; i < options; i++) program->name += std::string(" ") + option[i];
    return 0;
  };
  n.log_size = [](rrcm_nvrtc_program, size_t *size) { return *size = 1, 0; };
  n.log = [](rrcm_nvrtc_program, char *log) { return *log = 0, 0; };
  n.code_size = [](rrcm_nvrtc_program program, size_t *size) { return *size = program->name.size() + 1, 0; };
  n.code = [](rrcm_nvrtc_program program, char *code) {
    memcpy(code, program->name.c_str(), program->name.size() + 1);
    return 0;
  };
  n.destroy = [](rrcm_nvrtc_program *program) { return delete *program, *program = nullptr, 0; };
  return n;
}

struct rrcm_lt_handle_s {};
struct rrcm_lt_operation_s {
  int compute, transposes_a, transposes_b, epilogue;
  const float *bias;
};
struct rrcm_lt_layout_s {
  int type;
  uint64_t rows, columns;
  int64_t leading;
};
struct rrcm_lt_preference_s {};

rrcm_lt rrcm_emulated_lt(void) {
  rrcm_lt l = {};
  l.version = []() -> size_t { return 130002; };
  l.create = [](rrcm_lt_handle *handle) { return *handle = new rrcm_lt_handle_s, 0; };
  l.destroy = [](rrcm_lt_handle handle) { return delete handle, 0; };
  l.create_operation = [](rrcm_lt_operation *operation, int compute, int) {
    return *operation = new rrcm_lt_operation_s{compute, 0, 0, 1, nullptr}, 0;
  };
  l.destroy_operation = [](rrcm_lt_operation operation) { return delete operation, 0; };
  l.set_operation = [](rrcm_lt_operation operation, int attribute, const void *value, size_t bytes) {
    if (attribute == RRCM_LT_OPERATION_TRANSPOSE_A && bytes == 4) return memcpy(&operation->transposes_a, value, 4), 0;
    if (attribute == RRCM_LT_OPERATION_TRANSPOSE_B && bytes == 4) return memcpy(&operation->transposes_b, value, 4), 0;
    if (attribute == RRCM_LT_OPERATION_EPILOGUE && bytes == 4) return memcpy(&operation->epilogue, value, 4), 0;
    if (attribute == RRCM_LT_OPERATION_BIAS && bytes == 8) return memcpy(&operation->bias, value, 8), 0;
    return 7;
  };
  l.create_layout = [](rrcm_lt_layout *layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
    return *layout = new rrcm_lt_layout_s{type, rows, columns, leading}, 0;
  };
  l.destroy_layout = [](rrcm_lt_layout layout) { return delete layout, 0; };
  l.create_preference = [](rrcm_lt_preference *preference) { return *preference = new rrcm_lt_preference_s, 0; };
  l.destroy_preference = [](rrcm_lt_preference preference) { return delete preference, 0; };
  l.set_preference = [](rrcm_lt_preference, int, const void *, size_t) { return 0; };
  l.choose = [](rrcm_lt_handle, rrcm_lt_operation operation, rrcm_lt_layout a, rrcm_lt_layout b, rrcm_lt_layout c,
                rrcm_lt_layout d, rrcm_lt_preference, int, rrcm_lt_choice *choices, int *found) {
    if (const int error = failing("choose")) return error;
    // What the documented interface asks of shapes: equal depths, C and D alike.
    const bool ta = operation->transposes_a == 1, tb = operation->transposes_b == 1;
    const bool fits = (ta ? a->rows : a->columns) == (tb ? b->columns : b->rows) &&
                      (ta ? a->columns : a->rows) == d->rows && (tb ? b->rows : b->columns) == d->columns && c->rows == d->rows && c->columns == d->columns && a->type == b->type &&
                      c->type == d->type && a->leading >= (int64_t)a->rows && b->leading >= (int64_t)b->rows &&
                      c->leading >= (int64_t)c->rows && d->leading >= (int64_t)d->rows;
    *found = fits ? 1 : 0;
    choices[0] = {};
    return 0;
  };
  l.describe = [](const rrcm_lt_algorithm *, int attribute, void *value, size_t, size_t *written) {
    *(int *)value = attribute;
    return *written = 4, 0;
  };
  l.multiply = [](rrcm_lt_handle, rrcm_lt_operation operation, const void *alpha, rrcm_cu_pointer a_pointer,
                  rrcm_lt_layout a, rrcm_cu_pointer b_pointer, rrcm_lt_layout b, const void *beta,
                  rrcm_cu_pointer c_pointer, rrcm_lt_layout c, rrcm_cu_pointer d_pointer, rrcm_lt_layout d,
                  const rrcm_lt_algorithm *, rrcm_cu_pointer, size_t, rrcm_cu_stream stream) {
    // A graph keeps what is set now.
    const rrcm_lt_operation_s now = *operation;
    const rrcm_lt_layout_s al = *a, bl = *b, cl = *c, dl = *d;
    const float scale = *(const float *)alpha, keep = *(const float *)beta;
    return enqueue(stream, {[=]() {
      std::lock_guard<std::recursive_mutex> guard(lock);
      products_run++;
      const auto bytes = [](const rrcm_lt_layout_s &layout) {
        return (size_t)((layout.columns - 1) * (uint64_t)layout.leading + layout.rows) *
               (layout.type == RRCM_LT_BFLOAT16 ? 2 : 4);
      };
      if (!owned(a_pointer, bytes(al)) || !owned(b_pointer, bytes(bl)) || !owned(d_pointer, bytes(dl)) ||
          (keep != 0 && !owned(c_pointer, bytes(cl)))) {
        return 14;
      }
      const bool ta = now.transposes_a == 1, tb = now.transposes_b == 1;
      const bool tf32 = now.compute == RRCM_LT_COMPUTE_TF32;
      const auto element = [tf32](rrcm_cu_pointer p, const rrcm_lt_layout_s &layout, uint64_t row, uint64_t column) {
        const uint64_t i = column * (uint64_t)layout.leading + row;
        if (layout.type == RRCM_LT_BFLOAT16) return __uint_as_float((uint32_t)((uint16_t *)p)[i] << 16);
        const float x = ((float *)p)[i];
        return tf32 ? __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xFFFFE000u) : x;
      };
      for (uint64_t j = 0; j < dl.columns; j++) {
        for (uint64_t i = 0; i < dl.rows; i++) {
          float sum = 0;
          for (uint64_t k = 0; k < (ta ? al.rows : al.columns); k++) {
            sum += element(a_pointer, al, ta ? k : i, ta ? i : k) * element(b_pointer, bl, tb ? j : k, tb ? k : j);
          }
          sum *= scale;
          if (keep != 0) sum += keep * ((float *)c_pointer)[j * (uint64_t)cl.leading + i];
          if (now.epilogue == RRCM_LT_EPILOGUE_BIAS) sum += now.bias[i];
          const uint64_t place = j * (uint64_t)dl.leading + i;
          if (dl.type == RRCM_LT_BFLOAT16) {
            const uint32_t u = __float_as_uint(sum);
            ((uint16_t *)d_pointer)[place] = (uint16_t)((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
          } else {
            ((float *)d_pointer)[place] = sum;
          }
        }
      }
      return 0;
    }});
  };
  return l;
}

void rrcm_emulator_set_memory(size_t bytes) { memory_limit = bytes; }
long rrcm_emulator_allocations(void) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  return (long)allocations.size();
}
void rrcm_emulator_counts(long *kernels, long *products, long *programs) {
  *kernels = kernels_run, *products = products_run, *programs = programs_compiled;
}
void rrcm_emulator_fail(const char *what, int error, int count) { failures[what] = {error, count}; }
