/**
 * The llm-gateway as a process: `node services/llm-gateway/main.ts`, configured by the environment (config.ts).
 */
import { runService } from "@promptpo/service-kit";
import { buildGateway } from "./build.ts";
import { gatewayConfig } from "./config.ts";

await runService({ name: "llm-gateway", schema: gatewayConfig, build: buildGateway });
