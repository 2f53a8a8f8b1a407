import { describe, expect, it } from "vitest";
import { extractPython } from "./extract-python.ts";

const wanted = { className: "ToyPolicy", method: "act" };
const source = (answer: string) => {
  const found = extractPython(answer, wanted);
  return found.ok ? found.source : found.message;
};
const policy = "class ToyPolicy:\n    def act(self, obs):\n        return 0";

describe("the source in an answer", () => {
  it("is the fenced python block", () => {
    expect(source(`I think.\n\n\`\`\`python\n${policy}\n\`\`\`\nDone.`)).toBe(`${policy}\n`);
  });

  it("is the last block that defines the wanted class", () => {
    const answer = `\`\`\`python\nclass ToyPolicy: 1\n\`\`\`\nBetter:\n\`\`\`python\n${policy}\n\`\`\`\nUsage:\n\`\`\`python\nToyPolicy().act(None)\n\`\`\``;
    expect(source(answer)).toBe(`${policy}\n`);
  });

  it("may have a class of another name, if it has the method", () => {
    const other = policy.replace("ToyPolicy", "Other");
    expect(
      source(
        `\`\`\`\nclass Helper:\n    pass\n\`\`\`\n\`\`\`py\n${other}\n\`\`\`\n\`\`\`python\nclass Note: 1\n\`\`\``,
      ),
    ).toBe(`${other}\n`);
  });

  it("may stand in tildes, in longer fences, and be indented", () => {
    expect(source(`~~~python\n${policy}\n~~~`)).toBe(`${policy}\n`);
    expect(source(`\`\`\`\`python\n${policy}\n# \`\`\`\n\`\`\`\`\n`)).toBe(`${policy}\n# \`\`\`\n`);
    const indented = policy.replaceAll(/^/gm, "   ");
    expect(source(`1. so:\n   \`\`\`python\n${indented}\n   \`\`\``)).toBe(`${policy}\n`);
  });

  it("goes to the end where the fence is never closed, as in an answer that was cut off", () => {
    expect(source(`\`\`\`python\n${policy}\n    def more(`)).toBe(`${policy}\n    def more(\n`);
  });

  it("may come without any fence, and with the line ends of another system", () => {
    expect(source(`${policy}\n`)).toBe(`${policy}\n`);
    expect(source(`\`\`\`python\r\n${policy.replaceAll("\n", "\r\n")}\r\n\`\`\``)).toBe(`${policy}\n`);
  });

  it("is not a block of another language, nor prose", () => {
    expect(source(`\`\`\`js\n${policy}\n\`\`\``)).toBe("the answer holds no Python code block");
    expect(source("No.")).toBe("the answer holds no Python code block");
    expect(source("  \n")).toBe("the answer is empty");
    expect(source("```python\nx = 1\n```")).toBe("no Python code block of the answer defines the class ToyPolicy");
  });
});
