// A hundred queries at once through unmodified libpq: what psycogreen is for psycopg2, without either.
//   query_fanout CONNINFO [COUNT]
#include <guv/guv.hpp>
#include <guv/patcher.hpp>
#include <libpq-fe.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string ask(const std::string& conninfo, const std::string& query) {
  const Connection connection(PQconnectdb(conninfo.c_str()), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
  const Result result(PQexec(connection.get(), query.c_str()), &PQclear);  // blocks, as it thinks
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
  return PQgetvalue(result.get(), 0, 0);
}

int main(int argument_count, char** arguments) {
  if (argument_count < 2) {
    std::cerr << "usage: query_fanout CONNINFO [COUNT]\n";
    return 2;
  }
  guv::monkey_patch();
  const std::string conninfo = arguments[1];
  const int count = argument_count > 2 ? std::atoi(arguments[2]) : 100;

  const int64_t start = guv_now();
  guv::GreenPile<std::string> pile(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    pile.spawn(ask, conninfo, "select " + std::to_string(i) + " from pg_sleep(0.1)");
  }
  int sum = 0;
  for (const std::string& answer : pile) sum += std::stoi(answer);
  std::cout << count << " queries of a tenth of a second, sum of the answers " << sum << '\n';
  std::cerr << "took " << (guv_now() - start) / 1'000'000 << " ms\n";
}
