// Stores for vectors512 with the enclosing namespace's `narrow`; part of elementwise.cc.

CIFAR10_FAST_INLINE void store(float* at, Vec a) { vectors512::store(at, a); }
CIFAR10_FAST_INLINE void store(uint16_t* at, Vec a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), narrow(a)); }
CIFAR10_FAST_INLINE void storePart(float* at, Vec a, int lanes) { vectors512::storePart(at, a, lanes); }
CIFAR10_FAST_INLINE void storePart(uint16_t* at, Vec a, int lanes) {
  _mm256_mask_storeu_epi16(at, first(lanes), narrow(a));
}
