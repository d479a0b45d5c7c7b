/** The TensorFlow graph version of exported graphs, which every TensorFlow 2 reads. */
export const graphVersion = 440;
