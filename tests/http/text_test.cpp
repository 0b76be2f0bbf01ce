#include "http/text.hpp"

#include <gtest/gtest.h>

namespace guv::inline v1::http {

TEST(Text, DatesAreInTheFormOfHttp) {
  EXPECT_EQ(format_date_time(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date_time(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(log_time(784111777), "06/Nov/1994:08:49:37 +0000");
}

TEST(Text, WhatIsNoEscapeStays) {
  EXPECT_EQ(decoded("/a%20b+c%zz%4", false), "/a b+c%zz%4");
  EXPECT_EQ(decoded("a+b%2b%00", true), std::string("a b+\0", 5));
  EXPECT_EQ(decoded("%", true), "%");
}

TEST(Text, ListsAreSearchedByWholeTokens) {
  EXPECT_TRUE(lists("keep-alive, Upgrade", "upgrade"));
  EXPECT_TRUE(lists(" ,, close\t", "close"));
  EXPECT_FALSE(lists("closed, not-close", "close"));
  EXPECT_FALSE(lists("", "close"));
}

TEST(Text, FieldsWithLineEndsAreNone) {
  EXPECT_TRUE(is_field_value("a b\tc\xe9"));
  EXPECT_FALSE(is_field_value("a\r\nb"));
  EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_token("X-Forwarded-For"));
  EXPECT_FALSE(is_token("a b"));
  EXPECT_FALSE(is_token(""));
}

TEST(Text, StatusesHavePhrases) {
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

}  // namespace guv::inline v1::http
