#include "base/config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <initializer_list>
#include <string>

namespace guv {
namespace {

/// What families need, whichever they are.
constexpr uint32_t sync = bit(Family::sync);

class Configuration : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"FAMILIES", "STACK_SIZE", "PATCH_LIBC", "PREEMPT", "NO_GREENDNS", "VERBOSE", "CHILDREN",
                             "NATIVE_THREADS", "REPORT"}) {
      unsetenv((std::string("GUV_") + name).c_str());
    }
  }

  /// What guv says while it reads its environment.
  static std::string read_with(const char* name, const char* value) {
    setenv(name, value, 1);
    testing::internal::CaptureStderr();
    read_config();
    return testing::internal::GetCapturedStderr();
  }
  static uint32_t families(const char* list) {
    EXPECT_EQ(read_with("GUV_FAMILIES", list), "") << list;
    return config().families;
  }
  static size_t stack_size(const char* text) {
    EXPECT_EQ(read_with("GUV_STACK_SIZE", text), "") << text;
    return config().stack_size;
  }
};

TEST_F(Configuration, EverythingIsGreenByDefault) {
  read_config();
  EXPECT_EQ(config().families, all_families);
  EXPECT_TRUE(config().patch_libc);
  EXPECT_TRUE(config().green_dns);
  EXPECT_TRUE(config().keep_in_children);
  EXPECT_TRUE(config().preempt);
  EXPECT_FALSE(config().verbose);
}

TEST_F(Configuration, FamiliesAreChosenByName) {
  EXPECT_EQ(families("time"), bit(Family::time) | sync);
  EXPECT_EQ(families("socket,dns,sync"), bit(Family::socket) | bit(Family::dns) | sync);
  EXPECT_EQ(families("time,"), bit(Family::time) | sync);
  EXPECT_EQ(families("all"), all_families);
  EXPECT_EQ(families("none"), 0u);
  EXPECT_EQ(families(""), all_families);
}

TEST_F(Configuration, FamiliesAreTakenAwayWithAMinus) {
  EXPECT_EQ(families("-dns"), all_families & ~bit(Family::dns));
  EXPECT_EQ(families("all,-io,-file"), all_families & ~bit(Family::io) & ~bit(Family::file));
  EXPECT_EQ(families("socket,time,-time"), bit(Family::socket) | sync);
}

TEST_F(Configuration, AnUnknownFamilyIsNamed) {
  const std::string said = read_with("GUV_FAMILIES", "socket,sokcet,time");
  EXPECT_NE(said.find("'sokcet'"), std::string::npos) << said;
  EXPECT_EQ(said.find("guv: "), 0u) << said;
  EXPECT_EQ(config().families, bit(Family::socket) | bit(Family::time) | sync);
}

TEST_F(Configuration, WhatOtherFamiliesNeedCannotBeTakenAway) {
  for (const char* list : {"-sync", "all,-dns,-sync"}) {
    EXPECT_NE(read_with("GUV_FAMILIES", list).find("sync stays on"), std::string::npos) << list;
    EXPECT_TRUE(config().families & sync) << list;
  }
  EXPECT_EQ(families("none,-sync"), 0u);
}

TEST_F(Configuration, NameResolutionCanBeLeftBlocking) {
  EXPECT_EQ(read_with("GUV_NO_GREENDNS", ""), "");
  EXPECT_EQ(config().families, all_families & ~bit(Family::dns));
}

TEST_F(Configuration, WithoutAWordTheFamiliesAreTheCallers) {
  read_config(0);
  EXPECT_EQ(config().families, 0u);
  setenv("GUV_FAMILIES", "io", 1);
  read_config(0);
  EXPECT_EQ(config().families, bit(Family::io) | sync);
}

TEST_F(Configuration, StackSizesHaveUnits) {
  EXPECT_EQ(stack_size("65536"), 65536u);
  EXPECT_EQ(stack_size("64k"), 65536u);
  EXPECT_EQ(stack_size("64K"), 65536u);
  EXPECT_EQ(stack_size("2M"), 2u << 20);
  EXPECT_EQ(stack_size("1g"), size_t{1} << 30);
  EXPECT_EQ(stack_size("0x10000"), 65536u);
}

TEST_F(Configuration, ABadStackSizeIsNamedAndIgnored) {
  for (const char* text : {"", "many", "64kk", "64KB", "12 M", "-1", "-64k", "99999999999999999999", "99999999999G"}) {
    const std::string said = read_with("GUV_STACK_SIZE", text);
    EXPECT_NE(said.find("GUV_STACK_SIZE"), std::string::npos) << "'" << text << "' gave " << config().stack_size;
    EXPECT_EQ(config().stack_size, 0u) << text;
  }
}

TEST_F(Configuration, WhereFilesAreAskedForIsOneOfThreeWords) {
  EXPECT_EQ(read_with("GUV_FILES", "hub"), "");
  EXPECT_EQ(config().files, Files::on_hub);
  EXPECT_EQ(read_with("GUV_FILES", "helpers"), "");
  EXPECT_EQ(config().files, Files::on_helpers);
  EXPECT_EQ(read_with("GUV_FILES", "auto"), "");
  EXPECT_EQ(config().files, Files::automatic);
  EXPECT_NE(read_with("GUV_FILES", "disk").find("GUV_FILES"), std::string::npos);
  EXPECT_EQ(config().files, Files::automatic);
}

TEST_F(Configuration, SwitchesTakeTheUsualWordsForNo) {
  for (const char* no : {"0", "no", "false", "off"}) {
    read_with("GUV_PATCH_LIBC", no);
    read_with("GUV_CHILDREN", no);
    EXPECT_FALSE(config().patch_libc) << no;
    read_with("GUV_PREEMPT", no);
    EXPECT_FALSE(config().preempt) << no;
    EXPECT_FALSE(config().keep_in_children) << no;
  }
  read_with("GUV_PATCH_LIBC", "1");
  EXPECT_TRUE(config().patch_libc);
  read_with("GUV_VERBOSE", "1");
  EXPECT_TRUE(config().verbose);
}

TEST_F(Configuration, NoGreenDnsIsAskedForByAnyValue) {
  read_with("GUV_NO_GREENDNS", "0");
  EXPECT_FALSE(config().green_dns);
  unsetenv("GUV_NO_GREENDNS");
  read_with("GUV_NO_GREENDNS", "");
  EXPECT_FALSE(config().green_dns);
}

TEST_F(Configuration, TextsAreKeptAsTheyAre) {
  read_with("GUV_NATIVE_THREADS", "libjvm,libfoo.so");
  read_with("GUV_REPORT", "/tmp/report");
  EXPECT_STREQ(config().native_threads, "libjvm,libfoo.so");
  EXPECT_STREQ(config().report, "/tmp/report");
  // Too long a text does no harm.
  read_with("GUV_REPORT", std::string(5000, 'x').c_str());
  EXPECT_LT(std::string(config().report).size(), sizeof config().report);
}

}  // namespace
}  // namespace guv
