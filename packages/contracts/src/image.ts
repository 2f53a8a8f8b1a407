// Where the descriptor set for server reflection lies (a buf image, which is a FileDescriptorSet).
export const reflectionImageUrl = new URL("./gen/image.binpb", import.meta.url);
