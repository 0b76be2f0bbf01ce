#include "own.hpp"

#include <map>
#include <set>
#include <string>

#include "report.hpp"

namespace guv::check {
namespace {

/// Of objects in their list.
using Places = std::set<std::size_t>;

bool is_guv(const std::string& name) { return name.starts_with("libguv.so") || name.starts_with("libguv_http.so"); }

/// What each of the objects needs of the others.
std::vector<Places> needs_among(const std::vector<Loaded>& objects) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    // A process tells the file's name, libuv.so.1.0.0; others need libuv.so.1.
    places.emplace(objects[i].image.soname(), i);
    places.emplace(objects[i].name, i);
  }
  std::vector<Places> needs(objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) {
    for (const std::string& name : objects[i].image.needed()) {
      if (const auto found = places.find(base_name(name)); found != places.end()) needs[i].insert(found->second);
    }
  }
  return needs;
}

/// Adds to `reached` the object at `from` and all that it needs, but nothing by way of the `closed` ones.
void follow(const std::vector<Places>& needs, const Places& closed, std::size_t from, Places& reached) {
  if (closed.contains(from) || !reached.insert(from).second) return;
  for (const std::size_t next : needs[from]) follow(needs, closed, next, reached);
}

}  // namespace

void leave_out_guv(std::vector<Loaded>& objects) {
  const auto needs = needs_among(objects);
  Places guv, needed;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (i > 0 && is_guv(objects[i].name)) guv.insert(i);
    needed.insert(needs[i].begin(), needs[i].end());
  }
  Places guvs, programs;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    // What nobody needs was loaded by its name: a plug-in, or another preloaded library.
    if (i == 0 || !needed.contains(i)) follow(needs, guv, i, programs);
    if (guv.contains(i)) follow(needs, {}, i, guvs);
  }
  std::vector<Loaded> left;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (programs.contains(i) || !guvs.contains(i)) left.push_back(std::move(objects[i]));
  }
  objects = std::move(left);
}

}  // namespace guv::check
