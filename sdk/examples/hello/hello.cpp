// The smallest useful module: counts the packets that reach it, and passes them on.
#include "trivet/abi.h"
#include "trivet/module.h"

struct HelloWorker final : trivet::PacketWorker<HelloWorker> {
  HelloWorker(trivet::CounterCells& cells, trivet::Counter packets) : cells_(cells), packets_(packets) {}
  trivet::Verdict on_packet(trivet::Packet&, trivet::Batch&) noexcept {
    cells_.add(packets_);
    return trivet::Verdict::next();
  }
  trivet::CounterCells& cells_;
  trivet::Counter packets_;
};

struct HelloModule final : trivet::Module {
  void declare(trivet::Setup& setup) override {
    setup.wants(trivet::packet_class::all);
    packets_ = setup.counter("packets", "packets that reached the module");
    setup.command({"show hello", "", "packets that hello has seen"}, [this](const auto&, trivet::Time,
                                                                            trivet::CommandReply reply) {
      reply({.error = "", .fields = {{"packets", "Packets", host_->read(packets_), ""}}, .tables = {}, .notes = {}});
    });
  }
  void start(trivet::Host& host, trivet::Time) override {
    host_ = &host;
    host.log().info("counting packets");
  }
  std::unique_ptr<trivet::Worker> make_worker(trivet::WorkerContext& context) override {
    return std::make_unique<HelloWorker>(context.counters(), packets_);
  }
  trivet::Host* host_ = nullptr;
  trivet::Counter packets_;
};

extern "C" __attribute__((visibility("default"))) constexpr trivet::ModuleDescriptor trivet_module_v1{
    .name = "hello",
    .version = "1.0",
    .create = []() -> trivet::Module* { return new HelloModule; },
    .destroy = [](trivet::Module* module) { delete module; }};
