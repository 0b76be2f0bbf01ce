#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace guv {

/// A path as the calls named …at take it.
struct At {
  int directory;
  const char* path;
};

/// Which file systems have another machine or another process behind them: network file systems, FUSE and the like. These
/// may not answer for ever.
class Mounts {
 public:
  /// False when there are none, as on most machines.
  bool any_far() const { return state_ != State::all_near; }

  /// Whether what is named may be on one of them, as far as its name tells: symbolic links are not followed.
  bool far(At place);
  bool far(const char* path);
  bool far(int fd);

  /// Reads them from `table`, a file of the form of /proc/self/mountinfo.
  void read(const char* table);

  void directory_changed() { directory_known_ = false; }
  /// The mounts may be others now: they are read again when they are asked for.
  void forget() { state_ = State::unknown; }

 private:
  enum class State : uint8_t { unknown, all_near, some_far, all_far };
  struct Mount {
    uint16_t begin, size;  // its path, in text_
    bool far;
  };
  static constexpr size_t most = 64, text_size = 4096;

  bool some_far();
  void take_line(std::string_view line);
  bool far_path(std::string_view path) const;
  bool directory_is_far();

  State state_ = State::unknown;
  bool directory_known_ = false, directory_far_ = false;
  size_t mounts_count_ = 0, text_used_ = 0, devices_count_ = 0;
  Mount mounts_[most];   // the far ones, and near ones below these
  dev_t devices_[most];  // of the far ones
  char text_[text_size];
};

}  // namespace guv
