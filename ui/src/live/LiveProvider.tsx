import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { socketUrl } from "../api/client";
import { meQuery } from "../api/queries";
import { LiveCache } from "./cache";
import { LiveSocket, type LiveState, type Wire } from "./socket";

const Live = createContext<LiveState>("connecting");

/** Whether the page follows the portal at this moment. */
export const useLiveState = () => useContext(Live);

/** Holds the one live socket of this tab. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");

  useEffect(() => {
    const cache = new LiveCache(client);
    const socket = new LiveSocket((cursor) => new WebSocket(socketUrl("/api/live", { cursor })) as Wire, {
      change: (change) => cache.take(change),
      reset: () => cache.reset(),
      ended: () => void client.invalidateQueries(meQuery),
      state: (now) => {
        setState(now);
        // What could not be loaded while the portal was away is tried again now that it is back.
        if (now === "live")
          void client.refetchQueries({ type: "active", predicate: (query) => query.state.status === "error" });
      },
    });
    const hurry = () => document.visibilityState === "visible" && socket.hurry();
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    socket.open();
    return () => {
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
      socket.close();
      cache.close();
    };
  }, [client]);

  return <Live value={state}>{children}</Live>;
}
