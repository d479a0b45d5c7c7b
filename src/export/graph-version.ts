/** The version of TensorFlow's graphs that ours are written for: one that every TensorFlow 2 reads. */
export const graphVersion = 440;
