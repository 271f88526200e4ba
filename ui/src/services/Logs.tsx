import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../api/calls";
import { serviceQuery } from "../api/queries";
import { asText, LogBuffer } from "../logs/buffer";
import { type FollowState, followService } from "../logs/follow";
import { LogView } from "../logs/LogView";
import { StatusWord } from "../parts/StatusWord";

const route = getRouteApi("/services/$ref");

export default function Logs() {
  const { ref } = route.useParams();
  return <Following key={ref} service={ref} />;
}

function Following({ service }: { service: string }) {
  const running = useQuery(serviceQuery(service)).data?.status === "running";
  const [buffer] = useState(() => new LogBuffer());
  const [state, setState] = useState<FollowState>("connecting");
  useEffect(() => followService(service, buffer, setState), [service, buffer]);
  const live = state === "live";
  return (
    <LogView
      buffer={buffer}
      name={service}
      live
      everything={async () => asText((await api.logs(service, { tail: 10_000 })).logs)}
      empty={
        running
          ? "Nothing written yet. New lines appear here as they come."
          : "Nothing written. Start the service to see its log."
      }
      aside={
        <span className="wide-only" style={{ marginRight: 8 }} aria-live="polite">
          <StatusWord
            status={live ? "running" : "starting"}
            word={live ? "Live" : state === "connecting" ? "Connecting" : "Reconnecting"}
          />
        </span>
      }
    />
  );
}
