// Blocks of threads as fibres. A fibre is made once and runs one thread after another; after its first entry, switching
// is a jump that saves no signal mask, which would cost two system calls.
#include "block.h"

#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include <memory>
#include <vector>

Index threadIdx, blockIdx, blockDim;
unsigned char *emulated_shared;

namespace {

constexpr size_t stack_bytes = 256 << 10, lanes = 32;

enum State { ready, at_block_barrier, at_warp_barrier, done };

struct Fibre {
  jmp_buf place;
  std::unique_ptr<unsigned char[]> stack;
  bool started = false;
  unsigned index = 0;
  State state = done;
  unsigned char exchange[16];
};

std::vector<std::unique_ptr<Fibre>> fibres;
jmp_buf scheduler;
Fibre *current;
Entry entry;
void **entry_arguments;

[[gnu::noinline]] void wait(State state) {
  current->state = state;
  if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

void start() {
  for (;;) {
    entry(entry_arguments);
    wait(done);
  }
}

/// Runs a fibre until it waits.
[[gnu::noinline]] void resume(Fibre *fibre) {
  current = fibre;
  threadIdx = {fibre->index, 0, 0};
  if (_setjmp(scheduler) != 0) return;
  if (fibre->started) _longjmp(fibre->place, 1);
  fibre->started = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fibre->stack.get();
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  makecontext(&context, start, 0);
  setcontext(&context);
}

/// Frees fibres first..<last when all that are not done wait at this barrier.
bool release(size_t first, size_t last, State barrier) {
  bool waiting = false;
  for (size_t i = first; i < last; i++) {
    if (fibres[i]->state == barrier) {
      waiting = true;
    } else if (fibres[i]->state != done) {
      return false;
    }
  }
  if (!waiting) return false;
  for (size_t i = first; i < last; i++) {
    if (fibres[i]->state == barrier) fibres[i]->state = ready;
  }
  return true;
}

}  // namespace

void __syncthreads() { wait(at_block_barrier); }
void __syncwarp() { wait(at_warp_barrier); }

void emulated_exchange(void *value, size_t bytes, int mask) {
  Fibre *self = current;
  memcpy(self->exchange, value, bytes);
  __syncwarp();
  unsigned char other[16];
  memcpy(other, fibres[self->index ^ (unsigned)mask]->exchange, bytes);
  __syncwarp();
  memcpy(value, other, bytes);
}

void emulated_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
  struct Fragment {
    uint32_t a[4], b[2];
  };
  static Fragment fragments[64][lanes];
  Fibre *self = current;
  const unsigned warp = self->index / lanes, lane = self->index % lanes;
  Fragment &mine = fragments[warp][lane];
  memcpy(mine.a, a, sizeof mine.a);
  mine.b[0] = b0, mine.b[1] = b1;
  __syncwarp();
  const auto half = [](uint32_t pair, unsigned i) { return __uint_as_float(i ? pair & 0xFFFF0000u : pair << 16); };
  for (unsigned i = 0; i < 4; i++) {
    const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    float sum = d[i];
    for (unsigned k = 0; k < 16; k++) {
      const uint32_t x = fragments[warp][row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2];
      const uint32_t y = fragments[warp][column * 4 + k % 8 / 2].b[k / 8];
      sum += half(x, k % 2) * half(y, k % 2);
    }
    d[i] = sum;
  }
  __syncwarp();
}

bool run_kernel(Entry kernel, void **arguments, Index grid, Index block, size_t shared_bytes) {
  const size_t count = (size_t)block.x * block.y * block.z;
  while (fibres.size() < count) {
    fibres.push_back(std::make_unique<Fibre>());
    fibres.back()->stack.reset(new unsigned char[stack_bytes]);
  }
  std::vector<unsigned char> shared(shared_bytes + 16, 0xAB);
  emulated_shared = (unsigned char *)(((uintptr_t)shared.data() + 15) & ~(uintptr_t)15);
  blockDim = block;
  entry = kernel;
  entry_arguments = arguments;
  for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++) {
    for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++) {
      for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
        for (size_t i = 0; i < count; i++) {
          fibres[i]->index = (unsigned)i;
          fibres[i]->state = ready;
        }
        for (;;) {
          bool ran = false, left = false;
          for (size_t i = 0; i < count; i++) {
            if (fibres[i]->state == ready) {
              resume(fibres[i].get());
              ran = true;
            }
            left |= fibres[i]->state != done;
          }
          if (!left) break;
          for (size_t warp = 0; warp < count; warp += lanes) {
            ran |= release(warp, warp + lanes < count ? warp + lanes : count, at_warp_barrier);
          }
          ran |= release(0, count, at_block_barrier);
          if (!ran) {  // threads of one block wait for each other at different barriers
            fibres.clear();
            return false;
          }
        }
      }
    }
  }
  return true;
}
