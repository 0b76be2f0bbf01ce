#include "base/tcb.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>

#include "arch/context.hpp"
#include "base/mapping.hpp"
#include "base/real.hpp"
#include "base/sys.hpp"

namespace guv::tcb {

namespace {

using Word = uintptr_t;

struct Link {
  Link* next;
  Link* previous;
};

// As the kernel defines it for set_robust_list(2).
struct RobustNode {
  RobustNode* next;
};
struct RobustHead {
  RobustNode list;
  long futex_offset;
  RobustNode* pending;
};

// As the psABI defines the vector of a thread's TLS blocks; the entry before the first counts them.
struct DtvEntry {
  Word block;
  void* to_free;
};

struct Functions {
  void* (*allocate_tls)(void*);
  void* (*initialise_tls)(void*, bool);
  void (*static_info)(size_t*, size_t*);
  void (*call_tls_dtors)();
  void (*ctype_init)();
  ptrdiff_t* rseq_offset;
};

constexpr ptrdiff_t first_block_size = 32 * 2 * sizeof(Word);
constexpr ptrdiff_t specific_array_size = 32 * sizeof(Word);
constexpr size_t largest_tcb = 16 * 1024;
constexpr size_t largest_libc_tls = 1024;
constexpr int max_relative_words = 64;
constexpr size_t x86_header_begin = 0x18, x86_header_end = 0x38;  // multiple_threads … pointer_guard: ABI of <tls.h>
constexpr int first_tid = 1 << 28, last_tid = (1 << 30) - 1;

struct Layout {
  size_t size = 0;  // of struct pthread, up to the end of the stack
  size_t static_tls = 0, align = 64;
  ptrdiff_t list = -1, robust = -1, stack_block = -1, first_specific = -1, specific_array = -1;
  ptrdiff_t res = -1, res_pointer = 0;  // the resolver state in the TCB, and the TLS variable that points to it
  ptrdiff_t libc_tls = 0;               // libc's own TLS block, relative to the thread pointer
  size_t libc_tls_size = 0;
  int relative_words = 0;
  uint16_t relative[max_relative_words] = {};
};

Functions libc;
constinit Layout layout;  // constructors of other libraries, which may come before ours, make threads
alignas(64) unsigned char prototype[largest_tcb];
uintptr_t prototype_address;
uintptr_t the_main_tcb;
uintptr_t neighbour;  // a TCB on glibc's own list of stacks, beside which new ones are linked
std::atomic<int> next_tid{first_tid};

Word& word_at(uintptr_t base, ptrdiff_t offset) { return *reinterpret_cast<Word*>(base + offset); }
int& int_at(uintptr_t base, ptrdiff_t offset) { return *reinterpret_cast<int*>(base + offset); }

// ---- the probe --------------------------------------------------------------------------------------------------

struct Probe {
  uintptr_t address = 0;
  int tid = 0;
  ptrdiff_t res = -1, res_pointer = 0;
  size_t copy_size;
};

// Runs while its creator may hold the dynamic linker's lock: the first thread of all may be a constructor's.
void* probe_main(void* argument) {
  auto& probe = *static_cast<Probe*>(argument);
  probe.address = thread_pointer();
  probe.tid = static_cast<int>(sys::call(SYS_gettid));
  if (probe.res_pointer) probe.res = word_at(probe.address, probe.res_pointer) - probe.address;
  memcpy(prototype, reinterpret_cast<void*>(probe.address), probe.copy_size);
  return nullptr;
}

int find_libc_tls(dl_phdr_info* info, size_t, void*) {
  const char* name = info->dlpi_name ? strrchr(info->dlpi_name, '/') : nullptr;
  if (!name || !info->dlpi_tls_data || (strcmp(name, "/libc.so.6") != 0 && strncmp(name, "/libc-2.", 8) != 0)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_TLS) continue;
    layout.libc_tls = static_cast<char*>(info->dlpi_tls_data) - reinterpret_cast<char*>(thread_pointer());
    layout.libc_tls_size = info->dlpi_phdr[i].p_memsz;
  }
  return 1;
}

template <class T>
bool look_up(T& function, const char* name) {
  function = reinterpret_cast<T>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr;
}

// libthread_db's descriptors {size in bits, count, offset}, exported by newer glibcs: they must agree with what we saw.
bool agrees_with_thread_db(const char* descriptor, ptrdiff_t offset) {
  const auto* words = static_cast<const uint32_t*>(dlsym(RTLD_DEFAULT, descriptor));
  return !words || words[2] == static_cast<uint32_t>(offset);
}

const char* run_probe() {
  libc.static_info(&layout.static_tls, &layout.align);
  const size_t stack_size = ((layout.static_tls + 0xffff) & ~size_t{0xffff}) + (size_t{1} << 18);
  void* stack = map_memory(stack_size, MAP_STACK);
  if (!stack) return "no memory for a probe thread";
  const Word low = reinterpret_cast<Word>(stack);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, stack_size);
  Probe probe{};
  if (void* resolver = dlsym(RTLD_DEFAULT, "__resp")) {
    probe.res_pointer = reinterpret_cast<Word>(resolver) - thread_pointer();
  }
  // The first run tells where the TCB is, and so how large it can be at most; the second is the prototype.
  const char* trouble = nullptr;
  probe.copy_size = 0;
  for (int run = 0; run < 2 && !trouble; ++run) {
    pthread_t thread;
    if (real().pthread_create(&thread, &attributes, probe_main, &probe) != 0) {
      trouble = "no kernel thread to be had for the probe";
      break;
    }
    real().pthread_join(thread, nullptr);
    layout.size = low + stack_size - probe.address;
    if (layout.size > largest_tcb || probe.address < low) trouble = "the thread control block is not where expected";
    if (run == 0) {
      probe.copy_size = layout.size;
      sys::call(SYS_madvise, stack, stack_size, MADV_DONTNEED);  // zero again
    }
  }
  pthread_attr_destroy(&attributes);
  munmap(stack, stack_size);
  if (trouble) return trouble;

  prototype_address = probe.address;
  layout.res = probe.res;
  layout.res_pointer = probe.res_pointer;
  const Word mine = the_main_tcb, its = prototype_address;
  const auto* words = reinterpret_cast<Word*>(prototype);
  for (size_t i = 0; i < layout.size / sizeof(Word); ++i) {
    const ptrdiff_t offset = i * sizeof(Word);
    // The probe was linked next to main on the list of stacks that are not libc's own: its link points at main's.
    if (layout.list < 0 && size_t(offset) >= x86_header_end && words[i] == mine + offset) layout.list = offset;
    if (layout.stack_block < 0 && words[i] == low && words[i + 1] == stack_size) layout.stack_block = offset;
    // specific_1stblock[32] of {sequence, value}; right behind it specific[32], whose first entry points back at it.
    if (layout.first_specific < 0 && words[i] == its + offset - first_block_size) {
      layout.specific_array = offset;
      layout.first_specific = offset - first_block_size;
    }
  }
  if (layout.list < 0 || layout.stack_block < 0 || layout.first_specific < 0)
    return "a field of struct pthread was not found";
  for (ptrdiff_t offset = layout.list; offset < layout.list + 64; offset += sizeof(int)) {
    if (int_at(reinterpret_cast<Word>(prototype), offset) == probe.tid &&
        int_at(mine, offset) == static_cast<int>(sys::call(SYS_gettid))) {
      tid_offset = offset;
      break;
    }
  }
  if (tid_offset < 0) return "the thread id was not found in struct pthread";

  void* robust = nullptr;
  size_t robust_length = 0;
  sys::call(SYS_get_robust_list, 0, &robust, &robust_length);
  layout.robust = reinterpret_cast<Word>(robust) - mine;
  if (layout.robust <= 0 || size_t(layout.robust) >= layout.size) return "the robust list was not found";

  if (!agrees_with_thread_db("_thread_db_pthread_list", layout.list) ||
      !agrees_with_thread_db("_thread_db_pthread_tid", tid_offset) ||
      !agrees_with_thread_db("_thread_db_pthread_specific", layout.specific_array)) {
    return "libthread_db's description of struct pthread disagrees with what was seen";
  }

  // Scrub what belongs to the probe's own run; then note what has to be moved along with the block.
  auto* fields = reinterpret_cast<Word*>(prototype);
  for (size_t i = 0; i < layout.size / sizeof(Word); ++i) {
    Word& field = fields[i];
    const ptrdiff_t offset = i * sizeof(Word);
    if (field == reinterpret_cast<Word>(&probe_main) || field == reinterpret_cast<Word>(&probe)) field = 0;
    // A preloaded allocator or sanitizer may have put thread-specific data there: it died with the probe.
    if (offset >= layout.first_specific && offset < layout.specific_array + specific_array_size &&
        offset != layout.specific_array) {
      field = 0;
    }
    if (offset != layout.stack_block && field >= low && field < its) field = 0;
    if (field >= its && field < its + layout.size) {
      if (layout.relative_words == max_relative_words) return "too many pointers into struct pthread";
      layout.relative[layout.relative_words++] = static_cast<uint16_t>(offset);
    }
  }
  return nullptr;
}

// ---- building ---------------------------------------------------------------------------------------------------

void relocate(uintptr_t tcb, ptrdiff_t from, ptrdiff_t to) {
  for (int i = 0; i < layout.relative_words; ++i) {
    const ptrdiff_t offset = layout.relative[i];
    if (offset >= from && offset < to) word_at(tcb, offset) += tcb - prototype_address;
  }
}

// As libc does for a stack that it has kept (get_cached_stack).
void renew_tls(uintptr_t tcb) {
  auto* dtv = reinterpret_cast<DtvEntry*>(word_at(tcb, 8));
  const Word modules = dtv[-1].block;
  for (Word i = 1; i <= modules; ++i) {
    if (dtv[i].to_free) [[unlikely]] free(dtv[i].to_free);
  }
  memset(dtv, 0, (modules + 1) * sizeof(DtvEntry));
  libc.initialise_tls(reinterpret_cast<void*>(tcb), true);
}

void link_beside_neighbour(uintptr_t tcb) {
  auto* place = reinterpret_cast<Link*>(neighbour + layout.list);
  auto* link = reinterpret_cast<Link*>(tcb + layout.list);
  link->next = place->next;
  link->previous = place;
  place->next->previous = link;
  // A signal handler or a kernel thread may be walking the list: the node is whole before it can be seen.
  std::atomic_thread_fence(std::memory_order_release);
  place->next = link;
}

// A mutex in shared memory notes its owner by the id, so processes must not use the same ones. By the golden ratio those of
// neighbouring process ids begin far from each other.
void begin_tids() {
  constexpr uint32_t golden = 2654435769;  // 2^32 / 1.618…
  const uint64_t place = static_cast<uint32_t>(sys::call(SYS_getpid)) * golden;  // modulo 2^32
  next_tid.store(first_tid + static_cast<int>(place * (last_tid - first_tid) >> 32), std::memory_order_relaxed);
}

}  // namespace

ptrdiff_t tid_offset = -1;

bool discover(const char** why_not) {
  the_main_tcb = neighbour = thread_pointer();
  begin_tids();
  *why_not = "this libc does not export what is needed to make thread control blocks";
  if (!look_up(libc.allocate_tls, "_dl_allocate_tls") || !look_up(libc.initialise_tls, "_dl_allocate_tls_init") ||
      !look_up(libc.static_info, "_dl_get_tls_static_info") || !look_up(libc.call_tls_dtors, "__call_tls_dtors")) {
    return false;
  }
  look_up(libc.ctype_init, "__ctype_init");
  look_up(libc.rseq_offset, "__rseq_offset");
  dl_iterate_phdr(find_libc_tls, nullptr);
  if (layout.libc_tls_size == 0 || layout.libc_tls_size > largest_libc_tls) {
    *why_not = "libc's own thread-local data was not found";
    return false;
  }
  *why_not = run_probe();
  return *why_not == nullptr;
}

size_t static_size() { return layout.static_tls; }

uintptr_t build(uintptr_t top, uintptr_t stack_low, size_t stack_size) {
  const uintptr_t tcb = (top - layout.size) & ~(layout.align - 1);
  word_at(tcb, 8) = 0;  // dtv: _dl_allocate_tls makes it
  if (!libc.allocate_tls(reinterpret_cast<void*>(tcb))) return 0;
  const Word dtv = word_at(tcb, 8);
  memcpy(reinterpret_cast<void*>(tcb), prototype, layout.size);
  relocate(tcb, 0, layout.size);
  memcpy(reinterpret_cast<void*>(tcb + x86_header_begin), reinterpret_cast<void*>(the_main_tcb + x86_header_begin),
         x86_header_end - x86_header_begin);
  int_at(tcb, x86_header_begin) = 1;  // multiple_threads: no single-thread shortcuts inside libc
  word_at(tcb, 8) = dtv;
  if (libc.rseq_offset && *libc.rseq_offset > 0) {
    // The kernel's rseq area stays with the kernel thread: RSEQ_CPU_ID_REGISTRATION_FAILED sends readers to getcpu(2).
    int_at(tcb, *libc.rseq_offset + 4) = -2;
  }
  word_at(tcb, layout.stack_block) = stack_low;
  word_at(tcb, layout.stack_block + sizeof(Word)) = stack_size;
  int_at(tcb, tid_offset) = new_tid();
  link_beside_neighbour(tcb);
  return tcb;
}

void recycle(uintptr_t tcb) {
  // libc's own block holds malloc's tcache and arena, and buffers: they stay with the TCB.
  unsigned char kept[largest_libc_tls];
  auto* libc_block = reinterpret_cast<unsigned char*>(tcb + layout.libc_tls);
  memcpy(kept, libc_block, layout.libc_tls_size);
  renew_tls(tcb);
  memcpy(libc_block, kept, layout.libc_tls_size);

  // [tid … first_specific) is the thread's state; what lies behind may own heap memory and is kept.
  const ptrdiff_t from = layout.list + sizeof(Link), to = layout.first_specific;
  memcpy(reinterpret_cast<void*>(tcb + from), prototype + from, to - from);
  relocate(tcb, from, to);
  memset(reinterpret_cast<void*>(tcb + layout.first_specific), 0, first_block_size);
  for (int i = 1; i < 32; ++i) {
    if (const Word block = word_at(tcb, layout.specific_array + i * sizeof(Word))) [[unlikely]] {
      memset(reinterpret_cast<void*>(block), 0, first_block_size);
    }
  }
  int_at(tcb, tid_offset) = new_tid();
}

uintptr_t stack_top_below(uintptr_t tcb) { return (tcb + layout.size - layout.static_tls - 64) & ~uintptr_t{63}; }

int new_tid() {
  int tid = next_tid.fetch_add(1, std::memory_order_relaxed);
  if (tid >= last_tid) {
    next_tid.store(first_tid, std::memory_order_relaxed);
    tid = next_tid.fetch_add(1, std::memory_order_relaxed);
  }
  return tid;
}

void set_tid(uintptr_t tcb, int tid) { int_at(tcb, tid_offset) = tid; }

void on_thread_start(uintptr_t tcb) {
  errno = 0;
  if (libc.ctype_init) libc.ctype_init();
  if (layout.res >= 0) word_at(tcb, layout.res_pointer) = tcb + layout.res;
}

void run_thread_local_destructors() { libc.call_tls_dtors(); }

void release_robust_mutexes(uintptr_t tcb, void (*wake)(void*)) {
  auto* head = reinterpret_cast<RobustHead*>(tcb + layout.robust);
  constexpr Word pi_bit = 1;
  auto untagged = [](RobustNode* node) {
    return reinterpret_cast<RobustNode*>(reinterpret_cast<Word>(node) & ~pi_bit);
  };
  int limit = 1 << 20;  // as the kernel: a broken list must not hold us for ever
  for (RobustNode* node = untagged(head->list.next); node && node != &head->list && limit-- > 0;) {
    RobustNode* next = untagged(node->next);
    auto* futex = reinterpret_cast<std::atomic<uint32_t>*>(reinterpret_cast<Word>(node) + head->futex_offset);
    const uint32_t value = futex->load(std::memory_order_relaxed);
    futex->store((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, std::memory_order_release);
    wake(futex);
    if (value & FUTEX_WAITERS) sys::call(SYS_futex, futex, FUTEX_WAKE, 1, 0, 0, 0);
    node = next;
  }
  head->list.next = &head->list;
}

void after_fork(uintptr_t survivor) {
  neighbour = survivor;
  the_main_tcb = survivor;
  begin_tids();
}

uintptr_t main_tcb() { return the_main_tcb; }

}  // namespace guv::tcb
