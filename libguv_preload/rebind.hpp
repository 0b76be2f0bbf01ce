#pragma once

#include <link.h>

#include <span>
#include <string_view>
#include <vector>

namespace guv {

/// Leads imports of loaded objects to other functions, by changing what the loader wrote into their tables.
class Rebinding {
 public:
  Rebinding() = default;
  Rebinding(const Rebinding&) = delete;
  Rebinding& operator=(const Rebinding&) = delete;
  /// Gives the objects free; undoes nothing.
  ~Rebinding();

  /// Whether `object` imports `name`.
  static bool imports(const link_map& object, std::string_view name);

  /// Binds each import for which `choose(name)` is not null to that. 0, or an errno, when nothing was changed in this
  /// object.
  template <class Choose>
  int bind(const link_map& object, Choose choose) {
    const size_t first = changes_.size();
    for_each_slot(object, [&](const char* name, void** slot) {
      if (void* function = choose(name); function && function != *slot) changes_.push_back({slot, *slot, function});
    });
    const int error = write(object, std::span(changes_).subspan(first), false);
    if (error) {
      changes_.resize(first);
    } else {
      keep(object);
    }
    return error;
  }

  /// Puts back what was there before, unless it has been changed again.
  void undo();

 private:
  struct Change {
    void** slot;
    void* before;
    void* after;
  };
  struct Kept {
    const link_map* object;
    void* handle;  // it stays loaded
    size_t changes;
  };

  using Visit = void (*)(void* argument, const char* name, void** slot);
  static void for_each_slot(const link_map& object, Visit visit, void* argument);
  template <class Function>
  static void for_each_slot(const link_map& object, Function function) {
    for_each_slot(
        object, [](void* argument, const char* name, void** slot) { (*static_cast<Function*>(argument))(name, slot); },
        &function);
  }
  static int write(const link_map& object, std::span<const Change> changes, bool back);
  void keep(const link_map& object);

  std::vector<Change> changes_;
  std::vector<Kept> kept_;
};

/// The object behind a handle of dlopen, or null.
const link_map* object_of(void* handle);

/// `object` and all that it needs, without libc, the loader, and what guv is made of.
std::vector<const link_map*> with_dependencies(const link_map& object);

}  // namespace guv
