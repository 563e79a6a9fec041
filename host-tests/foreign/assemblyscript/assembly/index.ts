// The greeter on the AssemblyScript SDK: ABI 0.2.0, no _initialize but a start function.
export * from "@solo-io/proxy-runtime/proxy";
import {
  Context, Counter, FilterDataStatusValues, FilterHeadersStatusValues, GrpcStatusValues,
  HeaderPair, LogLevelValues, RootContext, log, registerRootContext, send_local_response, stream_context,
} from "@solo-io/proxy-runtime";
import { RESPONSE_BODY, set_buffer_bytes } from "./buffer";

class Greeter extends RootContext {
  requests: Counter | null = null;

  onConfigure(size: u32): bool {
    super.onConfigure(size);
    this.requests = new Counter("greeter.requests");
    log(LogLevelValues.info, "configured with " + this.getConfiguration());
    return true;
  }

  createContext(id: u32): Context {
    return new Request(id, this);
  }
}

class Request extends Context {
  constructor(id: u32, root: Greeter) {
    super(id, root);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const root = this.root_context as Greeter;
    root.requests!.increment(1);
    const path = stream_context.headers.request.get(":path");
    log(LogLevelValues.info, "request of " + path);
    if (path == "/denied") {
      const greeting = new HeaderPair(
        String.UTF8.encode("x-greeting"), String.UTF8.encode(root.getConfiguration()));
      send_local_response(403, "", String.UTF8.encode("not for you"), [greeting], -1 as GrpcStatusValues);
      return FilterHeadersStatusValues.StopIteration;
    }
    stream_context.headers.request.replace("x-greeting", root.getConfiguration());
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.remove("content-length");
    stream_context.headers.response.replace("x-greeted", "yes");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseBody(size: usize, end: bool): FilterDataStatusValues {
    if (end) {
      const text = String.UTF8.encode("!");
      set_buffer_bytes(RESPONSE_BODY, size as u32, 0, changetype<usize>(text), text.byteLength);
    }
    return FilterDataStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Greeter(id), "greeter");
