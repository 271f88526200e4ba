import { IconLock } from "@tabler/icons-react";
import { Link, Navigate, Outlet, useMatches } from "@tanstack/react-router";
import { Page } from "../parts/Page";
import { Empty } from "../parts/states";
import tabs from "../services/ServicePage.module.css";
import { useCan } from "../session/session";
import { placesFor } from "./places";

/** Everything about the portal itself: who may come in, what they did, how it is, what it keeps. */
export default function AdminPage() {
  const places = placesFor(useCan());
  const path = useMatches().at(-1)?.pathname.replace(/\/$/, "");
  const first = places[0];
  if (first && path === "/admin") return <Navigate to={first.to} replace />;
  const allowed = places.some((place) => place.to === path);
  return (
    <Page title="Admin">
      {places.length > 1 && (
        <nav className={tabs.tabs} aria-label="Parts of the admin area">
          {places.map((place) => (
            <Link
              key={place.to}
              to={place.to}
              className={tabs.tab}
              activeOptions={{ includeSearch: false }}
              ref={(link) => {
                if (place.to === path) link?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
              }}
            >
              {place.label}
            </Link>
          ))}
        </nav>
      )}
      {allowed ? (
        <Outlet />
      ) : (
        <Empty icon={<IconLock size={32} stroke={1.4} />} title="This is for administrators">
          Your role does not open this part. Ask an administrator if you need it.
        </Empty>
      )}
    </Page>
  );
}
