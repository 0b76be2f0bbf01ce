#include "hub/mounts.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace guv {
namespace {

class MountTable : public testing::Test {
 protected:
  void read(const std::string& lines) {
    char path[] = "/tmp/guv-mounts-XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_EQ(write(fd, lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
    close(fd);
    mounts.read(path);
    unlink(path);
  }
  static std::string line(const std::string& path, const std::string& type) {
    return "36 35 98:0 / " + path + " rw,noatime master:1 - " + type + " source rw\n";
  }

  Mounts mounts;
};

const std::string local = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n28 27 0:21 / /proc rw - proc proc rw\n";

TEST_F(MountTable, LocalFileSystemsAreNear) {
  read(local + line("/proc/sys/fs/binfmt_misc", "autofs"));
  EXPECT_FALSE(mounts.any_far());
  EXPECT_FALSE(mounts.far("/etc/passwd"));
}

TEST_F(MountTable, WhatLiesUnderANetworkFileSystemIsFar) {
  read(local + line("/home", "nfs4") + line("/mnt/far", "fuse.sshfs"));
  EXPECT_TRUE(mounts.any_far());
  for (const char* path : {"/home", "/home/", "/home/me/file", "/mnt/far/x"}) EXPECT_TRUE(mounts.far(path)) << path;
  for (const char* path : {"/", "/homely", "/mnt", "/mnt/farther", "", "/etc"}) EXPECT_FALSE(mounts.far(path)) << path;
}

TEST_F(MountTable, TheNearestMountCounts) {
  read(line("/", "virtiofs") + line("/proc", "proc") + line("/proc/uptime", "fuse.lxcfs"));
  EXPECT_TRUE(mounts.far("/etc/passwd"));
  EXPECT_FALSE(mounts.far("/proc/self/maps"));
  EXPECT_TRUE(mounts.far("/proc/uptime"));
}

TEST_F(MountTable, OfTwoAtOnePlaceTheLastCounts) {
  read(line("/a", "nfs") + line("/a", "tmpfs"));
  EXPECT_FALSE(mounts.far("/a/b"));
  read(line("/a", "tmpfs") + line("/a", "nfs"));
  EXPECT_TRUE(mounts.far("/a/b"));
}

TEST_F(MountTable, BlanksAreEscaped) {
  read(line("/with\\040blank", "cifs"));
  EXPECT_TRUE(mounts.far("/with blank/file"));
}

TEST_F(MountTable, PathsStartFromADirectory) {
  char path[4096];
  ASSERT_TRUE(getcwd(path, sizeof path));
  read(line(path, "nfs"));
  EXPECT_TRUE(mounts.far("file"));
  ASSERT_EQ(chdir("/"), 0);
  mounts.directory_changed();
  EXPECT_FALSE(mounts.far("file"));
  ASSERT_EQ(chdir(path), 0);
}

TEST_F(MountTable, PointersToNowhereAreLeftToTheKernel) {
  read(line("/a", "nfs"));
  EXPECT_FALSE(mounts.far(static_cast<const char*>(nullptr)));
  EXPECT_FALSE(mounts.far(reinterpret_cast<const char*>(-1)));
}

TEST_F(MountTable, MoreThanThereIsRoomForAreAllFar) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += line("/mnt/" + std::to_string(i), "nfs");
  read(many);
  EXPECT_TRUE(mounts.far("/etc/passwd"));
}

TEST_F(MountTable, WithoutATableAllIsNear) {
  mounts.read("/no/such/file");
  EXPECT_FALSE(mounts.any_far());
}

}  // namespace
}  // namespace guv
