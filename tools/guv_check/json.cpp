#include <nlohmann/json.hpp>

#include "report.hpp"

namespace guv::check {
namespace {

using Json = nlohmann::ordered_json;

Json names(const std::vector<NamedReason>& list) {
  Json object = Json::object();
  for (const auto& [name, reason] : list) object[name] = reason;
  return object;
}

}  // namespace

std::string as_json(const Report& report) {
  Json findings = Json::array();
  for (const Finding& finding : report.findings) {
    findings.push_back({{"weight", word_for(finding.weight)},
                        {"id", finding.id},
                        {"text", finding.text},
                        {"details", finding.details}});
  }
  Json objects = Json::array();
  for (const Object& object : report.objects) {
    objects.push_back({{"path", object.path},
                       {"green", names(object.green)},
                       {"safe", names(object.safe)},
                       {"brief", names(object.brief)},
                       {"waiting", names(object.waiting)},
                       {"unknown", names(object.unknown)},
                       {"plain", object.plain}});
  }
  const Json all = {{"asked", report.asked},
                    {"program", report.program},
                    {"pid", report.pid ? Json(*report.pid) : Json(nullptr)},
                    {"verdict", word_for(report.verdict())},
                    {"guv_inside", report.guv_inside},
                    {"makes_threads", report.makes_threads},
                    {"findings", findings},
                    {"objects", objects}};
  // File names may be any bytes; JSON is UTF-8.
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace guv::check
