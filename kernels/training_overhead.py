"""What an allocator and a driver show of a training step, beyond what its tensors hold.

Three figures are published as training memory: max_memory_allocated is train_bytes_per_gpu, max_memory_reserved and
nvidia-smi are these two.
"""

from kernels.graph import metric


@metric(unit="byte", source="see the framework's row")
def train_reserved_bytes_per_gpu(train_bytes_per_gpu, train_fragmentation_share):
    """What a framework's allocator reserves at its peak, as max_memory_reserved shows."""
    return train_bytes_per_gpu * (1.0 + train_fragmentation_share)


@metric(unit="byte", source="see the framework's row")
def train_device_bytes_per_gpu(
    train_reserved_bytes_per_gpu,
    train_context_bytes,
    communicator_bytes,
    tensor_parallel,
    pipeline_parallel,
    context_parallel,
    data_parallel,
    expert_parallel,
):
    """What a driver shows to be in use, as nvidia-smi prints: the allocator's, the context, communicators' buffers."""
    model = (1 if tensor_parallel > 1 else 0) + (1 if pipeline_parallel > 1 else 0)
    data = (1 if context_parallel > 1 else 0) + (1 if data_parallel > 1 else 0) + (1 if expert_parallel > 1 else 0)
    return train_reserved_bytes_per_gpu + train_context_bytes + communicator_bytes * (model + data)
