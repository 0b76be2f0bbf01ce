// Unmodified libpq again, not linked with but loaded, and green by itself: the rest of the process, and libpq in the end,
// block as ever.
//   one_library CONNINFO [COUNT]
#include <guv/guv.hpp>
#include <guv/patcher.hpp>
#include <libpq-fe.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

struct Postgres {
  guv::PatchedLibrary library = guv::import_patched("libpq.so.5");
  decltype(PQconnectdb)* connect = library.symbol<decltype(PQconnectdb)>("PQconnectdb");
  decltype(PQexec)* exec = library.symbol<decltype(PQexec)>("PQexec");
  decltype(PQgetvalue)* value = library.symbol<decltype(PQgetvalue)>("PQgetvalue");
  decltype(PQerrorMessage)* message = library.symbol<decltype(PQerrorMessage)>("PQerrorMessage");
  decltype(PQclear)* clear = library.symbol<decltype(PQclear)>("PQclear");
  decltype(PQfinish)* finish = library.symbol<decltype(PQfinish)>("PQfinish");

  std::string ask(const std::string& conninfo, const std::string& query) const {
    PGconn* connection = connect(conninfo.c_str());
    PGresult* result = exec(connection, query.c_str());
    const char* text = value(result, 0, 0);
    const std::string answer = text ? text : "";
    const std::string error = text ? "" : message(connection);
    clear(result);
    finish(connection);
    if (!error.empty()) throw std::runtime_error(error);
    return answer;
  }
};

/// How often a thread gets its turn while another waits for an answer.
int turns_during(const Postgres& postgres, const std::string& conninfo) {
  int turns = 0;
  bool asked = false;
  auto other = guv::spawn([&] {
    for (; !asked; ++turns) guv::sleep(std::chrono::milliseconds(1));
  });
  postgres.ask(conninfo, "select 1 from pg_sleep(0.1)");
  asked = true;
  other.join();
  return turns;
}

int main(int argument_count, char** arguments) {
  if (argument_count < 2) {
    std::cerr << "usage: one_library CONNINFO [COUNT]\n";
    return 2;
  }
  const std::string conninfo = arguments[1];
  const int count = argument_count > 2 ? std::atoi(arguments[2]) : 20;
  Postgres postgres;

  const int64_t start = guv_now();
  guv::GreenPile<std::string> pile(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    pile.spawn([&, i] { return postgres.ask(conninfo, "select " + std::to_string(i) + " from pg_sleep(0.1)"); });
  }
  int sum = 0;
  for (const std::string& answer : pile) sum += std::stoi(answer);
  std::cerr << "took " << (guv_now() - start) / 1'000'000 << " ms\n";
  std::cout << count << " queries of a tenth of a second, sum of the answers " << sum << '\n';

  std::cout << "others run meanwhile: " << (turns_during(postgres, conninfo) > 1 ? "yes" : "no") << '\n';
  postgres.library.undo();
  std::cout << "and once it is undone: " << (turns_during(postgres, conninfo) > 1 ? "yes" : "no") << '\n';
}
