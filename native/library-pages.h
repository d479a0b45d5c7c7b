// Memory of TensorFlow's shared libraries.
#pragma once

namespace cifar10_fast {

// Unmaps the pages of TensorFlow's libraries that loading has read. Most are never read again: relocations, and the code
// that registers operations and kernels, together about 250 MB. Pages that are needed again come from the page cache.
void releaseLibraryPages();

}  // namespace cifar10_fast
