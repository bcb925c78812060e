// A whole node on capture files: what an interface received is replayed, and what the node sends is recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "arp/module.h"
#include "core/app/node.h"
#include "core/io/pcap.h"
#include "core/loader/module_loader.h"
#include "ping/module.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::scenario {
namespace {

using namespace testkit;  // NOLINT: packets read like packets
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;

constexpr const char* config = R"(hostname replay
modules arp,ping
interface 1 name eth1
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  interface 1
}
register interface 1
enable interface 1
register network 1
enable network 1
)";

class Replay : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("trivet-replay-" + std::to_string(::getpid()));
};

TEST_F(Replay, ACaptureMeetsTheWholeNodeAndItsAnswersAreRecorded) {
  const std::filesystem::path heard = folder_ / "heard.pcap";
  const std::filesystem::path said = folder_ / "said.pcap";
  const MacAddress own{{2, 0, 0, 0, 0, 1}};
  const MacAddress client{{2, 0, 0, 0, 1, 9}};
  {
    auto writer = core::CaptureWriter::create(heard);
    ASSERT_TRUE(writer.has_value());
    const Bytes question = eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1");
    const Bytes request =
        eth(client, own) / ipv4("10.0.0.9", "10.0.0.1").id(7) / echo_request(1, 2) / payload("trivet");
    writer->write(seconds{0}, question);
    writer->write(milliseconds{20}, request);
    ASSERT_TRUE(writer->flush().has_value());
  }
  auto io =
      core::PcapBackend::create({{"eth1", {.receive = heard, .send = said, .mac = own}}}, core::ReplaySpeed::recorded);
  ASSERT_TRUE(io.has_value()) << io.error().text;
  core::ModuleLoader loader({&arp::descriptor, &ping::descriptor});
  {
    core::NodeOptions options;
    options.io = io->get();
    options.loader = &loader;
    core::Node node(options);
    const Problems problems = node.configure(config, "replay.conf", Time{});
    ASSERT_FALSE(problems.has_errors()) << to_string(problems.list().front());
    for (Time now{}; now <= Time{} + milliseconds{100}; now += milliseconds{1}) {
      (*io)->advance(now);
      node.step(now);
    }
    EXPECT_TRUE((*io)->finished());
    node.stop(Time{} + milliseconds{100});
    node.step(Time{} + milliseconds{100});
  }
  io->reset();

  const auto recorded = core::read_capture(said);
  ASSERT_TRUE(recorded.has_value()) << recorded.error().text;
  std::vector<Bytes> frames;
  for (const core::CapturedFrame& frame : *recorded) frames.push_back(frame.bytes);
  EXPECT_THAT(frames, Contains(Bytes(eth(own, client) / arp_reply(own, "10.0.0.1", client, "10.0.0.9"))));
  EXPECT_THAT(frames, Contains(Bytes(eth(own, client) / ipv4("10.0.0.1", "10.0.0.9").id(7) / echo_reply(1, 2) /
                                     payload("trivet"))));
}

}  // namespace
}  // namespace trivet::scenario
