#include "base/list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace guv {
namespace {

struct Red : ListNode {};
struct Blue : ListNode {};
struct Item : Red, Blue {
  explicit Item(int n) : number(n) {}
  int number;
};
using RedList = List<Item, Red>;
using BlueList = List<Item, Blue>;

template <class L>
std::vector<int> numbers(L& list) {
  std::vector<int> all;
  for (Item* item = list.front(); item; item = list.next(item)) all.push_back(item->number);
  return all;
}

TEST(List, IsEmptyAtFirst) {
  RedList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.back(), nullptr);
  EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(List, KeepsTheOrderInWhichItemsWerePut) {
  RedList list;
  Item one(1), two(2), three(3);
  list.push_back(&two);
  list.push_back(&three);
  list.push_front(&one);
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.back(), &three);
  EXPECT_EQ(list.pop_front(), &one);
  EXPECT_FALSE(one.Red::linked());
  list.abandon();
}

TEST(List, AnItemIsInSeveralListsByDifferentLinks) {
  RedList red;
  BlueList blue;
  Item one(1), two(2);
  red.push_back(&one);
  red.push_back(&two);
  blue.push_back(&two);
  blue.push_back(&one);
  red.remove(&one);
  EXPECT_EQ(numbers(red), (std::vector{2}));
  EXPECT_EQ(numbers(blue), (std::vector{2, 1}));
  EXPECT_TRUE(one.Blue::linked());
  EXPECT_FALSE(one.Red::linked());
  red.abandon();
  blue.abandon();
}

TEST(List, UnlinkingAnUnlinkedItemDoesNothing) {
  RedList list;
  Item one(1), two(2);
  list.push_back(&two);
  list.remove(&one);
  one.Red::unlink();
  EXPECT_EQ(numbers(list), (std::vector{2}));
  list.abandon();
}

TEST(List, TakesAllOfAnother) {
  RedList list, other;
  Item one(1), two(2), three(3);
  list.push_back(&one);
  other.push_back(&two);
  other.push_back(&three);
  list.take(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
  list.abandon();
}

TEST(List, ForgetsItemsWithoutTouchingThem) {
  RedList list;
  Item one(1);
  list.push_back(&one);
  list.abandon();
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(one.Red::linked());
  one.Red::reset();
  EXPECT_FALSE(one.Red::linked());
}

}  // namespace
}  // namespace guv
