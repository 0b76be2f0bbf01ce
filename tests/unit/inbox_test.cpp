#include "base/inbox.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace guv {
namespace {

struct Letter : InboxLink {
  int sender = 0, number = 0;
};

TEST(Inbox, GivesThingsInTheOrderInWhichTheyWerePutIn) {
  Inbox<Letter> inbox;
  EXPECT_TRUE(inbox.empty());
  Letter letters[3];
  for (int i = 0; i < 3; ++i) {
    letters[i].number = i;
    inbox.put(letters[i]);
  }
  EXPECT_FALSE(inbox.empty());
  std::vector<int> numbers;
  inbox.take_all([&](Letter& letter) { numbers.push_back(letter.number); });
  EXPECT_EQ(numbers, (std::vector{0, 1, 2}));
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, WhatIsTakenOutMayBePutInAgain) {
  Inbox<Letter> inbox;
  Letter letter;
  inbox.put(letter);
  int taken = 0;
  inbox.take_all([&](Letter& same) {
    if (++taken == 1) inbox.put(same);
  });
  EXPECT_EQ(taken, 1);
  inbox.take_all([&](Letter&) { ++taken; });
  EXPECT_EQ(taken, 2);
}

TEST(Inbox, LosesNothingOfManySenders) {
  constexpr int senders = 4, each = 20'000;
  Inbox<Letter> inbox;
  std::vector<Letter> letters(senders * each);
  std::vector<std::thread> threads;
  for (int sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender] {
      for (int number = 0; number < each; ++number) {
        Letter& letter = letters[sender * each + number];
        letter.sender = sender;
        letter.number = number;
        inbox.put(letter);
      }
    });
  }
  int next[senders] = {};
  for (int taken = 0; taken < senders * each;) {
    inbox.take_all([&](Letter& letter) {
      EXPECT_EQ(letter.number, next[letter.sender]++);
      ++taken;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(inbox.empty());
}

}  // namespace
}  // namespace guv
