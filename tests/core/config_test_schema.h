// A schema as the modules of the seed pair declare it, and keys of shapes that they do not have, for the tests and
// the fuzz targets of the configuration.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "core/config/configuration.h"

namespace trivet::core::config_test {

inline void must(const Result<void>& result) {
  if (!result) std::abort();
}

inline void add_vrrp(Schema& schema, Loaded loaded = Loaded::yes) {
  must(schema.open_section({"vrrp", "", 0, false, "", 40}, "vrrp", loaded));
  for (KeySpec& key : std::vector<KeySpec>{
           make_key("vrrp", "vrid", integer_element("vrid", 1, 255), "", ""),
           make_key("vrrp", "priority", integer_element("priority", 1, 255), "100", ""),
           make_key("vrrp", "network", reference_element("network"), "", ""),
           make_key("vrrp", "tracking", word_element("tracking", {"enable", "disable"}), "disable", ""),
           make_key("interface", "trackval", integer_element("trackval", 0, 254), "0", ""),
           make_key("gateway", "trackval", integer_element("trackval", 0, 254), "0", ""),
           make_key("set", "vrrppreempt", integer_element("vrrppreempt", 0, 1), "0", ""),
           make_key("set", "vrrppreemptts", integer_element("vrrppreemptts", 0, 86400), "0", "")}) {
    must(schema.add_key(std::move(key), "vrrp", loaded));
  }
}

inline void add_hc(Schema& schema, Loaded loaded = Loaded::yes) {
  const ElementSpec interval = seconds_element("interval", 0.1, 3600);
  const ElementSpec timeout = seconds_element("timeout", 0.1, 3600);
  const ElementSpec port = integer_element("port", 1, 65535);
  for (const char* section : {"target", "gateway"}) {
    must(schema.add_key(make_tuple_key(section, "ping", {interval, timeout}, ""), "hc", loaded));
    must(schema.add_key(make_tuple_key(section, "ping6", {interval, timeout}, ""), "hc", loaded));
  }
  must(schema.add_key(make_tuple_key("target", "tcpopen", {port, interval, timeout}, ""), "hc", loaded));
  must(schema.add_key(make_tuple_key("target", "agent6", {port, interval, timeout}, ""), "hc", loaded));
  KeySpec http = make_tuple_key("target", "http", {port, interval, timeout}, "");
  http.words.emplace_back().elements.push_back(typed_element("path", ElementType::text));
  http.words.back().is_optional = true;
  must(schema.add_key(std::move(http), "hc", loaded));
  KeySpec script =
      make_tuple_key("target", "script", {typed_element("path", ElementType::text), interval, timeout}, "");
  script.repeatable = true;
  must(schema.add_key(std::move(script), "hc", loaded));
}

inline void add_slb(Schema& schema, Loaded loaded = Loaded::yes) {
  must(schema.open_section({"server", "servers", 1024, true, "", 60}, "slb", loaded));
  for (KeySpec& key : std::vector<KeySpec>{
           make_key("server", "name", typed_element("text", ElementType::text), "", ""),
           make_key("server", "ipaddr", typed_element("address", ElementType::ipv4), "", ""),
           make_key("server", "ipaddr6", typed_element("address", ElementType::ipv6), "", ""),
           make_key("server", "port", integer_element("port", 1, 65535), "", ""),
           make_key("server", "protocol", word_element("protocol", {"tcp", "udp"}), "", ""),
           make_key("server", "sessionid", word_element("key", {"src", "src+port"}), "src", ""),
           make_key("server", "method", word_element("method", {"rr", "random", "hash", "first", "session"}), "rr", ""),
           make_list_key("server", "targets", "target", reference_element("target"), ""),
           make_key("target", "sessionid", word_element("key", {"dst", "dst+port"}), "dst", ""),
           make_key("target", "weight", integer_element("weight", 0, 65535), "1", ""),
           make_key("set", "sessiontimeout", seconds_element("seconds", 1, 86400), "600", "")}) {
    must(schema.add_key(std::move(key), "slb", loaded));
  }
}

// Shapes that the seed's modules do not have: repeatable lists, a list before another word, integer lists, either
// family.
inline void add_odd(Schema& schema, Loaded loaded = Loaded::yes) {
  must(schema.open_section({"policy", "policies", 64, true, "", 80}, "odd", loaded));
  must(schema.open_section({"zone", "zones", 8, false, "", 90}, "odd", loaded));
  KeySpec peers = make_key("policy", "peer", typed_element("address", ElementType::ip), "", "");
  peers.repeatable = true;
  must(schema.add_key(std::move(peers), "odd", loaded));
  KeySpec route = make_list_key("policy", "via", "", reference_element("target"), "");
  route.words.emplace_back().elements.push_back(word_element("mode", {"strict", "loose"}));
  must(schema.add_key(std::move(route), "odd", loaded));
  KeySpec labels = make_list_key("policy", "labels", "label", typed_element("label", ElementType::text), "");
  labels.repeatable = true;
  must(schema.add_key(std::move(labels), "odd", loaded));
  must(schema.add_key(make_list_key("zone", "ports", "port", integer_element("port", 1, 65535), ""), "odd", loaded));
  must(schema.add_key(make_key("zone", "level", integer_element("level", -10, 10), "-3", ""), "odd", loaded));
}

inline void add_rt(Schema& schema, Loaded loaded = Loaded::yes) {
  must(schema.add_key(make_key("set", "ipforwarding", integer_element("ipforwarding", 0, 1), "0", ""), "rt", loaded));
}

inline Schema seed_schema() {
  Schema schema = make_core_schema();
  add_vrrp(schema);
  add_hc(schema);
  add_slb(schema);
  add_rt(schema);
  return schema;
}

inline Schema full_schema() {
  Schema schema = seed_schema();
  add_odd(schema);
  return schema;
}

}  // namespace trivet::core::config_test
