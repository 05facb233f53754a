#include "worker_pool/worker_pool.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "worker_pool/pool_loop.h"

namespace deuteron::worker_pool {
namespace {

Result<std::string> make_private_directory(const std::string& parent_option) {
  const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
  std::string parent = parent_option;
  if (parent.empty())
    parent = runtime_directory != nullptr && *runtime_directory != '\0' ? runtime_directory : "/tmp";
  std::string path = parent + "/deuteron-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {  // mode 0700
    return internal_error("cannot make a folder in " + parent + ": " + std::strerror(errno));
  }
  return path;
}

}  // namespace

Result<std::unique_ptr<WorkerPool>> WorkerPool::make(WorkerPoolOptions options,
                                                     WorkerPoolListener& listener) {
  ASSIGN_OR_RETURN(std::string directory, make_private_directory(options.runtime_directory));
  return std::unique_ptr<WorkerPool>(
      new WorkerPool(std::make_unique<Loop>(std::move(options), listener, std::move(directory))));
}

WorkerPool::WorkerPool(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
WorkerPool::~WorkerPool() = default;

ZygoteId WorkerPool::start_zygote(ZygoteOptions options) {
  const ZygoteId id = loop_->next_zygote();
  loop_->post([loop = loop_.get(), id, options = std::move(options)] { loop->start_zygote(id, options); });
  return id;
}

void WorkerPool::start_template(ZygoteOptions options) {
  loop_->post([loop = loop_.get(), options = std::move(options)] { loop->find_template(options); });
}

void WorkerPool::stop_zygote(ZygoteId zygote) {
  loop_->post([loop = loop_.get(), zygote] { loop->stop_zygote(zygote); });
}

void WorkerPool::set_spares(ZygoteId zygote, int spares) {
  loop_->post([loop = loop_.get(), zygote, spares] { loop->set_spares(zygote, spares); });
}

void WorkerPool::preload(ZygoteId zygote, std::vector<std::string> modules) {
  loop_->post([loop = loop_.get(), zygote, modules = std::move(modules)] { loop->preload(zygote, modules); });
}

void WorkerPool::submit(WorkerTask task) {
  loop_->post([loop = loop_.get(), task = std::make_shared<WorkerTask>(std::move(task))] {
    loop->submit(std::move(*task));
  });
}

void WorkerPool::add_input(TaskId task, std::vector<InputPart> parts, bool complete) {
  loop_->post([loop = loop_.get(), task, parts = std::move(parts), complete] {
    loop->add_input(task, parts, complete);
  });
}

void WorkerPool::kill(TaskId task) {
  loop_->post([loop = loop_.get(), task] { loop->kill(task); });
}

void WorkerPool::request_stacks(TaskId task) {
  loop_->post([loop = loop_.get(), task] { loop->request_stacks(task); });
}

void WorkerPool::forget_slabs(std::vector<uint64_t> slabs) {
  loop_->post([loop = loop_.get(), slabs = std::move(slabs)] { loop->forget_slabs(slabs); });
}

std::string WorkerPool::barrier_path(TaskId task) const { return loop_->barrier_path(task); }

void WorkerPool::answer_barrier(std::vector<TaskId> tasks,
                                std::shared_ptr<const std::vector<std::string>> messages) {
  loop_->post_urgent([loop = loop_.get(), tasks = std::move(tasks), messages = std::move(messages)] {
    loop->answer_barrier(tasks, *messages);
  });
}

void WorkerPool::refuse_barrier(std::vector<TaskId> tasks) {
  loop_->post_urgent([loop = loop_.get(), tasks = std::move(tasks)] { loop->refuse_barrier(tasks); });
}

}  // namespace deuteron::worker_pool
